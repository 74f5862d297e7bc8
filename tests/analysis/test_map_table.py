"""The map as a table, read back by pandas."""

import io

import numpy as np
import pandas as pd
import pytest

from analysis.atlas import Atlas, AtlasParameters, open_atlas
from analysis.cache import Cache
from analysis.map_table import TABLE_FORMATS, map_table
from training.data.problems import load_problems
from training.home import Home

READ = {"csv": pd.read_csv, "parquet": pd.read_parquet}


@pytest.fixture(scope="module")
def demo_atlas(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    """The map of the demo that is shipped."""
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path_factory.mktemp("home"))})
    atlas = open_atlas(load_problems("demo"), AtlasParameters(), Cache.from_home(home))
    assert atlas is not None
    return atlas


@pytest.mark.parametrize("form", TABLE_FORMATS)
def test_a_table_says_of_each_problem_where_it_lies(form: str, demo_atlas: Atlas) -> None:
    table = map_table(demo_atlas, {-1: "none", 0: "first"})
    read = READ[form](io.BytesIO(TABLE_FORMATS[form](table)))
    assert list(read["id"]) == [problem.id for problem in demo_atlas.problem_set.problems]
    np.testing.assert_allclose(read[["x", "y"]], demo_atlas.views["2-D"], rtol=1e-5)
    np.testing.assert_allclose(read[["x3", "y3", "z3"]], demo_atlas.views["3-D"], rtol=1e-5)
    assert set(read["cluster_name"].dropna()) == {"none", "first"}
    nearest = demo_atlas.neighbors.indices[:, 0]
    assert list(read["nearest"]) == [demo_atlas.problem_set.problems[row].id for row in nearest]
    np.testing.assert_allclose(read["nearest_cosine"], demo_atlas.neighbors.similarities[:, 0], rtol=1e-5)


def test_a_table_of_some_rows_keeps_their_order(demo_atlas: Atlas) -> None:
    ids = [problem.id for problem in demo_atlas.problem_set.problems]
    assert list(map_table(demo_atlas, {}, [7, 2])["id"]) == [ids[7], ids[2]]
