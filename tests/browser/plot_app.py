"""A page with nothing but a map and a histogram, for `test_plot.py`: generated problems, every control in the address.

`?points=500&colour=split&deep=1&labels=1&density=1&pairs=1`; row 0 and its pair lie on an island when `island=1`.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import atlas_figure, figures
from dashboard.colourings import COLOURINGS, cluster_colours
from dashboard.components.map.map_plot import MapParts, render_map
from dashboard.components.shared.chart import render_chart
from dashboard.web_files import WebFiles

TOPICS = 6


@st.cache_data
def problems(points: int) -> tuple[pd.DataFrame, np.ndarray]:
    """(frame, (N, 3) places): six topics around a circle."""
    random = np.random.default_rng(0)
    topic = np.arange(points) % TOPICS
    turn = 2 * np.pi * topic / TOPICS
    places = 4 * np.column_stack([np.cos(turn), np.sin(turn), 0 * turn]) + random.normal(scale=0.5, size=(points, 3))
    frame = pd.DataFrame(
        {
            "id": [f"train-{row}" for row in range(points)],
            "split": np.where(np.arange(points) % 7, "train", "test"),
            "steps": 2 + np.arange(points) % 9,
            "cluster": topic,
            "length": np.where(np.arange(points) % 5, 10.0 + topic, np.nan),
            "question": "<img src=x onerror=\"document.title='run'\"> How many <b>apples</b> & pears?",
        }
    )
    return frame, places.astype(np.float32)


address = st.query_params
frame, places = problems(int(address.get("points", 500)))
colour = st.segmented_control("Colour", ["split", "steps", "cluster", "length"], default=address.get("colour", "split"))
deep = st.toggle("3-D", value="deep" in address)
places = places.copy() if deep else places[:, :2].copy()
if "island" in address:
    places[:2] += 40
topics = frame["cluster"].to_numpy()
colours = cluster_colours(topics, places)
labels = [
    atlas_figure.Label(places[topics == topic].mean(axis=0), f"topic {topic}", topic, colours[topic]) for topic in colours
]
memory = st.session_state
figure = atlas_figure.map_figure(frame, places, COLOURINGS[str(colour)], dark=False, view="problems")


def select(rows: list[int]) -> None:
    memory.selected = rows


def choose(row: int) -> None:
    memory.chosen = row


def keep_even() -> None:
    memory.selected = [row for row in memory.selected if row % 2 == 0]


def filter_by(category: str) -> None:
    memory.category = category


overlay = atlas_figure.overlay(
    places,
    labels=labels if "labels" in address else (),
    clusters=topics,
    pairs=[(0, 1), (2, 3)] if "pairs" in address else (),
    density="density" in address,
)
texts = atlas_figure.texts(frame["id"].tolist(), frame["question"].tolist())
render_map(
    MapParts(figures.spec(figure), texts, overlay, "map", memory.get("selected", [])),
    key="map",
    view="problems",
    name="problems",
    height="500px",
    files=WebFiles(Path(os.environ["GRPO_ATLAS_HOME"]) / "web"),
    chosen=memory.get("chosen"),
    on_selected=select,
    on_clicked=choose,
)
st.text(f"{len(memory.get('selected', []))} selected, chosen {memory.get('chosen')}, category {memory.get('category')}")
st.button("Keep even rows", on_click=keep_even)
render_chart(
    figures.spec(figures.counts_figure(None, frame, "steps", unit="steps", outlined=[str(memory.get("category"))])),
    key="steps",
    alt="steps",
    on_clicked=filter_by,
)
