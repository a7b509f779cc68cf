"""pinxit: train your own text-to-image model at a price you can pay, and see the bill."""
