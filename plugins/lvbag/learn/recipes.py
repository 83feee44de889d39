"""Training recipes: `recipes/<name>.yaml` of the configuration, else the project's own.

A recipe says everything that shapes a model beside the data and the seed. Its digest is part of the training's key, so
the same recipe on the same data is trained once, and a comment may be changed without training again.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from lvbag.errors import LvbagError
from lvbag.learn.classifier.recipe import ClassifierRecipe
from lvbag.learn.detector.recipe import DetectorRecipe
from lvbag.settings import PROJECT_ROOT, config_dir

__all__ = [
    "ClassifierRecipe",
    "DetectorRecipe",
    "RecipeError",
    "load_classifier_recipe",
    "load_detector_recipe",
    "recipe_digest",
    "recipe_path",
]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class RecipeError(LvbagError):
    """A recipe is missing or holds a value that is not allowed."""


Recipe = TypeVar("Recipe", ClassifierRecipe, DetectorRecipe)


def load_classifier_recipe(name: str) -> ClassifierRecipe:
    """The classifier recipe of a name; raises `RecipeError` with file, field, value and what is allowed."""
    return _load(name, ClassifierRecipe)


def load_detector_recipe(name: str) -> DetectorRecipe:
    """The detector recipe of a name; raises `RecipeError` with file, field, value and what is allowed."""
    return _load(name, DetectorRecipe)


def recipe_digest(recipe: ClassifierRecipe | DetectorRecipe) -> str:
    """Sha256 over the recipe's values, defaults included; comments and the order of lines do not count."""
    return hashlib.sha256(json.dumps(recipe.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


def recipe_path(name: str) -> Path:
    """The file of a recipe; raises `RecipeError` naming the recipes that there are."""
    if not _NAME.fullmatch(name):
        raise RecipeError(f"{name!r} is no recipe's name: letters, digits, '_' and '-', at most 64")
    folders = list(dict.fromkeys((config_dir() / "recipes", PROJECT_ROOT / "config" / "recipes")))
    for folder in folders:
        if (path := folder / f"{name}.yaml").is_file():
            return path
    known = sorted({path.stem for folder in folders if folder.is_dir() for path in folder.glob("*.yaml")})
    raise RecipeError(f"there is no recipe {name!r} in {folders[0]}; there are: {', '.join(known) or 'none'}")


def _load(name: str, model: type[Recipe]) -> Recipe:
    path = recipe_path(name)
    try:
        values: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not YAML: {error}") from None
    if not isinstance(values, dict):
        raise RecipeError(f"{path} must hold fields by name, found {type(values).__name__}")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RecipeError(_explain(error, path)) from None


def _explain(error: ValidationError, path: Path) -> str:
    rows = []
    for item in error.errors():
        field = ".".join(str(part) for part in item["loc"]) or "recipe"
        if item["type"] == "extra_forbidden":
            rows.append(f"{field}: there is no such field")
        elif item["type"] == "missing":
            rows.append(f"{field}: is missing")
        else:
            allowed = item["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
            rows.append(f"{field} = {item.get('input')!r}: {allowed}")
    return f"{path}:\n  " + "\n  ".join(rows)
