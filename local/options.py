"""What the environment says about the stack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from config.env import env

ROOT = Path(__file__).resolve().parents[1]
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 (not bound here)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The variables of `.env.example` that the stack itself reads."""

    host: str
    port: int
    flower_port: int
    data: Path
    demo: bool | None
    database_url: str | None
    redis_url: str | None

    @property
    def url(self) -> str:
        """Where this machine reaches the site."""
        return f"http://{_ANY_ADDRESS.get(self.host, self.host)}:{self.port}"

    @property
    def flower_url(self) -> str:
        return f"http://127.0.0.1:{self.flower_port}"


def read_options() -> Options:
    """Read the environment and `.env`; a bad value raises `environs.EnvError`."""
    return Options(
        host=env.str("TICKHOOK_HOST", "127.0.0.1"),
        port=env.int("TICKHOOK_PORT", 8000),
        flower_port=env.int("FLOWER_PORT", 5555),
        data=ROOT / Path(env.str("TICKHOOK_DATA", ".data")).expanduser(),
        demo=env.bool("TICKHOOK_DEMO") if env.str("TICKHOOK_DEMO", "") else None,
        database_url=env.str("DATABASE_URL", "") or None,
        redis_url=env.str("REDIS_URL", "") or None,
    )
