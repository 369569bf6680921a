"""preparation.json: what `download` did to the images of a data set, and to how many."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, PositiveInt

from core.files import atomic, records


class Preparation(BaseModel):
    """images: how many there are, in all splits. done: what was done, as phrases such as "made grey", and the number
    of images to which it was done.
    """

    model_config = ConfigDict(strict=True, frozen=True)

    images: PositiveInt
    done: dict[str, PositiveInt]

    def phrases(self) -> list[str]:
        """Return what was done as prose, such as "12 were made grey"."""
        return [f"{number:,} {'was' if number == 1 else 'were'} {what}" for what, number in self.done.items()]


def write(path: Path, preparation: Preparation) -> None:
    atomic.write_json(path, preparation.model_dump())


def read(path: Path) -> Preparation:
    """Return the record. Raises DataError if the file is damaged."""
    return records.read(path, Preparation.model_validate_json)
