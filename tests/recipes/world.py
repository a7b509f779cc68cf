"""A small world of concepts for tests: no art is needed."""

from pinxit.data.emoji import DEFAULT_STYLES
from pinxit.recipes.brief import World, type_concepts

KEYWORDS = {
    "fire engine": ("engine", "fire", "truck"), "delivery truck": ("delivery", "truck"), "owl": ("bird", "wise"),
    "pickup truck": ("car", "pickup", "truck"), "fire": ("flame", "hot"), "police car": ("car", "police"),
    "police officer": ("cop", "police"), "post office": ("building", "post"), "office worker": ("office", "worker"),
    "factory worker": ("factory", "worker"), "factory": ("building",), "dog": ("pet",), "dog face": ("dog", "face"),
    "cat face": ("cat", "face"), "cat": ("pet",), "socks": ("stocking",), "engine": ("motor",),
}  # fmt: skip
WORLD = World({concept: DEFAULT_STYLES[place % 3 :] for place, concept in enumerate(KEYWORDS)}, type_concepts(KEYWORDS))
