"""From recipes and overrides to a checked configuration.

Later beats earlier: the schema's defaults, ``train.yaml``, the option chosen of each group, the recipe of the
experiment, the command line. Groups are chosen in ``train.yaml``, then by the recipe, then on the command line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from omegaconf import OmegaConf

from ..errors import UserError
from ..yaml_strict import load_yaml
from .checks import check
from .keys import EXPERIMENT, GROUPS, KINDS, Key, keys_of, kind_keys, nearest
from .layers import Given, Layer, flatten, lay_over, nest
from .overrides import Typed, parse_overrides
from .schema import Config
from .values import checked, shown

CONFIGS = Path(__file__).parents[2] / "configs"


@dataclass(frozen=True)
class Recipe:
    """A configuration and the option chosen of each group; a resumed run has no groups."""

    config: Config
    groups: dict[str, str]


def compose(overrides: Sequence[str], folder: Path = CONFIGS) -> Config:
    """Return the configuration that the recipes of a folder and these overrides make.

    Parameters
    ----------
    overrides : ``key=value``, ``group=option`` or ``experiment=recipe``; an option or recipe is a name in ``folder``
        or the path of a YAML file. ``resume=RUN`` takes the configuration of that run and goes with no other.
    folder : where ``train.yaml`` and the groups are.

    Raises
    ------
    UserError
        A key, value, option or combination is refused; the message names it and the nearest that exists.
    """
    return read(overrides, folder).config


def read(overrides: Sequence[str], folder: Path = CONFIGS) -> Recipe:
    """Return what `compose` returns, and the groups chosen; raises as `compose` does."""
    typed = parse_overrides(overrides)
    if "resume" in typed.values and typed.values["resume"].value is not None:
        return Recipe(_resumed(typed), {})
    root, groups = _file(_short(folder / "train.yaml"))
    default = root.pop(EXPERIMENT, Given(None))
    if "data" in typed.choices and EXPERIMENT not in typed.choices:
        # The default recipe belongs to the default data: other data stand for themselves, and lend their name.
        recipe: Layer = {}
        root[EXPERIMENT] = Given(option_file(folder, "data", typed.choices["data"]).stem)
    else:
        path = option_file(folder, EXPERIMENT, typed.choices.get(EXPERIMENT, default))
        recipe, of_recipe = _file(path)
        if EXPERIMENT in recipe:
            raise recipe[EXPERIMENT].error(f"a recipe is called as its file is, {path.stem!r}; drop 'experiment'")
        root[EXPERIMENT] = Given(path.stem)
        groups |= of_recipe
    groups |= {group: given for group, given in typed.choices.items() if group in GROUPS}
    if "model" in groups:
        main = option_file(folder, "model", groups["model"]).stem
        for layer in (root, recipe):
            if "compare" in layer:
                layer["compare"] = _beside(layer["compare"], main)
    config = _build([root, *(_group(folder, group, given) for group, given in groups.items()), recipe, typed.values])
    if config.resume is not None:
        raise UserError("resume belongs on the command line, alone: resume=RUN")
    return Recipe(config, {group: str(given.value) for group, given in groups.items()})


def _beside(compare: Given, main: str) -> Given:
    """Models that a recipe sets beside the main one, which may be one of them: it is not trained twice.

    A user who names it twice on the command line is told so by `check`.
    """
    named = compare.value
    return replace(compare, value=[name for name in named if name != main]) if isinstance(named, list) else compare


def to_yaml(config: Config) -> str:
    """Return the configuration as YAML that `from_yaml` reads back, every key written out."""
    return OmegaConf.to_yaml(OmegaConf.structured(config))


def from_yaml(path: Path) -> Config:
    """Return the configuration that a run folder holds, through the same checks as `compose`.

    Raises
    ------
    UserError
        The file cannot be read, or a key, value or combination of it is refused.
    """
    return _build([flatten(load_yaml(path), str(path))])


def _resumed(typed: Typed) -> Config:
    others = [f"{path}={shown(given)}" for path, given in (typed.choices | typed.values).items() if path != "resume"]
    if others:
        raise UserError(f"resume goes on with the run's own config; drop {', '.join(others)}")
    run = str(checked(keys_of({})["resume"], typed.values["resume"]))
    if not (Path(run) / "config.yaml").is_file():
        raise UserError(f"resume={run}: no run folder with a config.yaml there; check the path")
    config = from_yaml(Path(run) / "config.yaml")
    config.resume = run
    return config


def _file(path: Path) -> tuple[Layer, dict[str, Given]]:
    """Return the values of a root file or recipe, and the groups it chooses."""
    tree = load_yaml(path)
    choices = tree.pop("groups", {})
    if not isinstance(choices, Mapping):
        raise UserError(f"{path}: 'groups' takes lines such as 'model: raci'")
    for group in choices:
        if group not in GROUPS:
            raise UserError(f"{path}: no group {group!r}; did you mean {nearest(group, GROUPS)!r}?")
    return flatten(tree, str(path)), {group: Given(option, str(path)) for group, option in choices.items()}


def _group(folder: Path, group: str, given: Given) -> Layer:
    path = option_file(folder, group, given)
    return flatten(load_yaml(path), str(path), f"{group}.")


def option_file(folder: Path, group: str, given: Given) -> Path:
    """Return the file of a group's option, or of a recipe."""
    option = given.text if isinstance(given.value, bool | int | float) else given.value
    if not isinstance(option, str):
        raise given.error(f"{group} takes the name of an option or the path of a YAML file; given {shown(given)}")
    if option.endswith((".yaml", ".yml")):
        return Path(option)
    names = sorted(path.stem for path in (folder / group).glob("*.yaml"))
    if option not in names:
        known = f"; did you mean {nearest(option, names)!r}? There are {', '.join(names)}" if names else ""
        raise given.error(f"no {group} {option!r} in {_short(folder / group)}{known}")
    return _short(folder / group / f"{option}.yaml")


def _build(layers: Sequence[Layer]) -> Config:
    """Check the values of layers, lowest first, and return them as the schema's dataclasses."""
    given: Layer = {}
    for layer in layers:
        given = lay_over(given, layer)
    kinds = {section: kind for section in KINDS if (kind := _kind(section, given)) is not None}
    keys = keys_of(kinds)
    values: dict[str, object] = {
        section: None for section in KINDS if section in given and given[section].value is None
    }
    for path, value in given.items():
        if path in values:
            continue
        if path not in keys:
            raise value.error(_unknown(path, keys, kinds))
        values[path] = checked(keys[path], value)
    for key in keys.values():
        if key.required and key.path not in values:
            known = f"; one of {', '.join(key.choices)}" if key.choices else ""
            raise UserError(f"{key.path} is not given ({key.help}{known}); add {key.path}=...")
    base = OmegaConf.structured(Config)
    for section, kind in kinds.items():
        OmegaConf.update(base, section, OmegaConf.structured(KINDS[section].table[kind]))
    config = OmegaConf.to_object(OmegaConf.merge(base, nest(values)))
    assert isinstance(config, Config)
    check(config)
    return config


def _kind(section: str, given: Layer) -> str | None:
    """Return the kind a section has, or None where it is null."""
    kinds = KINDS[section]
    selector = f"{section}.{kinds.selector}"
    names = list(kinds.table)
    if selector in given:
        return str(checked(_selector(selector, names), given[selector]))
    inside = [value for path, value in given.items() if path.startswith(f"{section}.")]
    absent = section not in given or given[section].value is None
    if kinds.optional and absent and not inside:
        return None
    where = inside[0] if inside else given.get(section, Given(None))
    raise where.error(f"{selector} is not given; add one of {', '.join(names)}")


def _selector(path: str, names: list[str]) -> Key:
    return Key(path, str, False, None, "", tuple(names), None)


def _unknown(path: str, keys: Mapping[str, Key], kinds: Mapping[str, str]) -> str:
    """Say that no such key exists, and which is meant."""
    inside = [key for key in keys if key.startswith(f"{path}.")]
    if inside:
        return f"{path} is a section and takes no value; set a key of it, such as {inside[0]}"
    for section, kind in kinds.items():
        owners = [name for name in KINDS[section].table if path in kind_keys(section, name)]
        if owners:
            selector = f"{section}.{KINDS[section].selector}"
            return f"no key {path!r} where {selector} is {kind}; it belongs to {', '.join(owners)}"
    return f"no key {path!r}; did you mean {nearest(path, (*keys, *GROUPS))!r}?"


def _short(path: Path) -> Path:
    """Return the path as a reader in the current folder would write it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
