"""Golden stories: frames and hardware of a station, side by side, over a real socket. The stories are the YAML files here."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.interop.stories.story import Story, Teller, stories
from tests.spec import spec

pytestmark = pytest.mark.interop


def _case(story: Story) -> pytest.param:  # type: ignore[valid-type]  # a function, to mypy
    marks = [spec("1.6", *story.spec)] if story.spec else []
    return pytest.param(story, id=story.name.replace(" ", "-"), marks=marks)


@pytest.mark.parametrize("story", [_case(story) for story in stories()])
def test_story(story: Story, tmp_path: Path) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(90):
            await Teller(story, tmp_path).tell()

    asyncio.run(bounded())
