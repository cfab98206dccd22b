"""A trained voice as the start of another one, whose tokens and speakers may differ."""

import logging
from pathlib import Path

from silvertalk.tts.espnet import build_model, load_task
from silvertalk.tts.experiment import find_checkpoint, load_weights, resolve_config
from silvertalk.tts.training.config import load_train_config
from silvertalk.utils import atomic_path

# Ends of the names of tables with a row for each token; parts of the names of what only several speakers need.
TOKEN_TABLES = ("enc.embed.weight", "encoder.embed.0.weight", "text_encoder.emb.weight")
SPEAKER_LAYERS = (
    *("sid_emb.weight", "lid_emb.weight", "global_emb.weight", "lang_emb.weight"),
    *("tts.projection.", "generator.projection.", "spemb_proj."),  # of speaker embeddings
    *("global_conv.", "conv1x1_glo."),  # how VITS hands them on
)


def init_voice(arguments: str, init: str | None = None, out: str | None = None) -> None:
    """Write down the model that is to be trained, and the weights it begins with.

    Args:
        arguments: File with ESPnet's arguments of a dry run, one on each line: it writes config.yaml to --output_dir.
        init: Checkpoint (.pth) or experiment folder of a trained voice; leave out to begin with nothing.
        out: The .pth to write, for --init_param.
    """
    words = Path(arguments).read_text(encoding="utf-8").splitlines()
    options = dict(zip(words, words[1:], strict=False))
    load_task(load_train_config(options["--config"])).main(cmd=words)
    if init:
        init_weights(init, options["--output_dir"], out)


def init_weights(init: str, config_dir: str, out: str) -> None:
    """Write the weights of a trained voice as the start of a new one.

    The new voice keeps its own normalisation (mean and variance of its corpus), and the start values of what the old
    one lacks.

    Args:
        init: Checkpoint (.pth) with config.yaml beside it, or the experiment folder of a trained voice.
        config_dir: Folder with the new voice's config.yaml, as ESPnet writes it with --dry_run true.
        out: The .pth to write, for --init_param.
    """
    import torch

    checkpoint, exp_dir = (find_checkpoint(init), init) if Path(init).is_dir() else (Path(init), Path(init).parent)
    if not (Path(exp_dir) / "config.yaml").is_file():
        raise FileNotFoundError(f"no {exp_dir}/config.yaml beside {checkpoint}; it lists the tokens of that voice")
    old_config, new_config = resolve_config(exp_dir), resolve_config(config_dir)
    if old_config.get("tts") != new_config.get("tts"):
        raise ValueError(
            f"{exp_dir} is a {old_config.get('tts')}, the new voice a {new_config.get('tts')}; give --init_tts a voice"
            " of the same model"
        )
    torch.manual_seed(new_config.get("seed") or 0)
    weights, messages = take_over(
        load_weights(checkpoint),
        build_model(new_config).state_dict(),
        old_config["token_list"],
        new_config["token_list"],
    )
    for message in messages:
        logging.info("start: %s", message)
    with atomic_path(out) as temporary:
        torch.save(weights, temporary)


def take_over(old: dict, new: dict, old_tokens: list[str], new_tokens: list[str]) -> tuple[dict, list[str]]:
    """Put the weights of a trained model into a new one.

    Args:
        old: State dict of the trained model.
        new: State dict of the new one, with its start values.
        old_tokens: What the rows of the old token table mean.
        new_tokens: What the rows of the new one mean.

    Returns:
        State dict of the new model, and what there is to say about it.

    Raises:
        ValueError: A layer has another shape, or is missing, for another reason than tokens and speakers.
    """
    weights, messages, wrong, taken = dict(new), [], [], 0
    for key, start in new.items():
        if not key.startswith("tts."):
            continue  # normalisation
        found = old.get(key)
        if key.endswith(TOKEN_TABLES) and found is not None and found.shape[1:] == start.shape[1:]:
            weights[key], known = _by_token(found, start, old_tokens, new_tokens)
            fresh = [token for token in new_tokens if token not in set(old_tokens)]
            listed = f": {' '.join(fresh[:20])}{' ...' if len(fresh) > 20 else ''}" if fresh else ""
            messages.append(f"{known} of {len(new_tokens)} tokens are known, {len(fresh)} start anew{listed}")
        elif found is not None and found.shape == start.shape:
            weights[key] = found
            taken += 1
        elif any(layer in key for layer in SPEAKER_LAYERS):
            was = "is not there" if found is None else f"has shape {tuple(found.shape)}"
            messages.append(f"{key} {was} in the old voice, {tuple(start.shape)} in the new one: starts anew")
        elif not key.startswith("tts.discriminator."):
            wrong.append(_describe(key, found, start))
    unused = [key for key in old if key.startswith("tts.") and key not in new]
    strange = [key for key in unused if not any(layer in key for layer in SPEAKER_LAYERS)]
    wrong += [f"{key} is not in the new voice" for key in strange if not key.startswith("tts.discriminator.")]
    if wrong:
        raise ValueError(
            f"{len(wrong)} layers do not fit: {'; '.join(wrong[:5])}{'; ...' if len(wrong) > 5 else ''}: train with the"
            ' config of the old voice, or begin with nothing (--init_tts "")'
        )
    messages += [f"{key} of the old voice is left out" for key in unused if key not in strange]
    messages += _discriminator_message(old, new)
    return weights, [f"{taken} layers are taken over", *messages]


def _by_token(old, new, old_tokens: list[str], new_tokens: list[str]):
    """Rows of tokens that both know from the old table, the others from the new one; and how many both know."""
    place = {token: k for k, token in enumerate(old_tokens)}
    table, known = new.clone(), 0
    for row, token in enumerate(new_tokens):
        if token in place:
            table[row] = old[place[token]].to(table.dtype)
            known += 1
    return table, known


def _describe(key: str, old, new) -> str:
    if old is None:
        return f"{key} is not in the old voice"
    return f"{key} has shape {tuple(old.shape)} in the old voice and {tuple(new.shape)} in the new one"


def _discriminator_message(old: dict, new: dict) -> list[str]:
    """The judge of another config may differ; it learns quickly."""
    keys = [key for key in new if key.startswith("tts.discriminator.")]
    fresh = [key for key in keys if key not in old or old[key].shape != new[key].shape]
    return [f"{len(fresh)} of {len(keys)} layers of the discriminator start anew"] if fresh else []
