"""The Hugging Face Hub: the only importer of huggingface_hub."""

import os
import re
from pathlib import Path

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

FILES = ["config.json", "model.safetensors", "README.md", "evolution.webp"]
_REPO = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")


def is_repo(name: str) -> bool:
    """Whether a name reads as `owner/name` or `owner/name@revision`."""
    return _REPO.fullmatch(name) is not None


def fetch(repo: str) -> Path:
    """The local folder of a model repo, `owner/name[@revision]`: from the cache, else from the network.

    Raises:
        ValueError: no such repo or revision, no access, or no network and nothing in the cache.
    """
    name, _, revision = repo.partition("@")
    try:
        try:
            found = snapshot_download(
                name, revision=revision or None, allow_patterns=FILES, local_files_only=True
            )
            if all((Path(found) / file).is_file() for file in FILES[:2]):
                return Path(found)
        except LocalEntryNotFoundError:
            pass
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=FILES))
    except GatedRepoError as error:
        raise ValueError(f"{repo} is gated: accept its terms on the Hub and set HF_TOKEN.") from error
    except RepositoryNotFoundError as error:
        raise ValueError(f"The Hub has no model {name}, or HF_TOKEN may not see it.") from error
    except RevisionNotFoundError as error:
        raise ValueError(f"{name} has no revision {revision!r}.") from error
    except LocalEntryNotFoundError as error:
        raise ValueError(f"{repo} is not in the cache and the Hub cannot be reached.") from error
    except (HfHubHTTPError, HFValidationError) as error:
        raise ValueError(f"{repo} could not be fetched: {str(error).splitlines()[0]}") from error
