"""What the dashboard remembers, group by group: by page, and what several pages share.

A field with a name in the address is shared by link: see `state.State.read_url`.
"""

from collections.abc import Mapping
from typing import Any

from analysis.atlas import MAX_SEED, STORED_NEIGHBORS, AtlasParameters, View
from analysis.leakage import COPIES
from analysis.outcomes import OF_TRAINING
from analysis.pools import POOL
from dashboard.axes import AXES, STEP
from dashboard.fields import (
    LONG_TEXT_CHARACTERS,
    SEARCH_CHARACTERS,
    Built,
    Field,
    Group,
    choice,
    one_of,
    parse_numbers,
    parse_range,
    parse_texts,
    within,
)
from dashboard.filters import MODES, Filters
from dashboard.launch_changes import ADDRESS_CHARACTERS, Changes, parse_changes, write_changes
from dashboard.run_log import LEVELS
from dashboard.run_rows import SETTING_NAMES, SORTABLE, USUAL_COLUMNS, parse_columns
from dashboard.step_figures import Bin, parse_bin
from dashboard.token_figure import MeasureName
from training.insight.rollout_pages import Asked, Key, Level, Verdict
from training.insight.rollout_pages import Order as RolloutOrder
from training.judging.steps import Aggregation
from training.prompts import SYSTEM_PROMPT, ChatTemplate, SystemTurn
from training.rewards.forms import TAGS
from training.store.job_search import RunFilter
from training.store.run_table import Order

TEST_CHANGES = "test"
MAP_COLOURS = (*OF_TRAINING, POOL, TEST_CHANGES)
"""What colours a run's map: a measure of its training, or what became of the test problems."""
NEWEST, BEGINNING = -1, 0
"""The newest checkpoint of a run, and what it began with, where a model is named by its step."""
_STEPS = within(0, 1_000_000_000)
_PLACES = 1_000_000


def parse_levels(text: str) -> tuple[str, ...]:
    """Levels of a log; raises `ValueError` where one is none."""
    return tuple(map(one_of(*LEVELS), parse_texts(text)))


class SignIn(Group):
    """Whether the person may act."""

    has_token = Field(False)
    """Whether they have given the right token; never in the address."""
    signs_out = Field(False)
    """Whether they are leaving their account, which ends the session."""
    wrong = Field(0)
    wrong_at = Field(0.0)
    """How often in a row the token was not right, and when last (on the monotonic clock, in seconds)."""


class MapParameters(Built[AtlasParameters]):
    """Which map of the source is shown."""

    kind = AtlasParameters
    model = Field(AtlasParameters.model, "model")
    neighbors = Field(AtlasParameters.neighbors, "neighbors", within(2, STORED_NEIGHBORS))
    min_dist = Field(AtlasParameters.min_dist, "min_dist", within(0.0, 1.0))
    seed = Field(AtlasParameters.seed, "seed", within(0, MAX_SEED))
    compare_with = Field(AtlasParameters.compare_with, "compare")


class MapLook(Group):
    """How the map is drawn."""

    colour = Field("split", "colour")
    """A key of `colourings.COLOURINGS`, `column:<name>` for a column of the data, or `<outcome>:<run>`."""
    view: Field[View] = Field("2-D", "view", choice(View))
    density = Field(False, "density")
    labels = Field(True, "labels")
    """Whether density lines and cluster names are drawn."""
    pairs = Field(False, "pairs")
    """Whether lines connect test problems with what train holds of them."""


class Filtering(Built[Filters]):
    """Which problems are in question."""

    kind = Filters
    split = Field(Filters.split, "split", one_of("train", "test"))
    steps = Field(Filters.steps, "steps")
    clusters = Field(Filters.clusters, "cluster", parse_numbers)
    subset = Field(Filters.subset, "subset")
    query = Field(Filters.query, "q")
    mode = Field(Filters.mode, "search", one_of(*MODES))
    near = Field(Filters.near, "near", within(0.0, 1.0))
    where = Field(Filters.where, "where")

    def clear(self) -> None:
        """All problems are in question again; how a query is read stays."""
        self.choose(Filters(mode=self.mode))


class Selection(Group):
    """What is chosen on the map."""

    problem = Field("", "problem")
    """The id of the problem that is read, empty when none is."""
    rows: Field[tuple[int, ...]] = Field(())
    """Rows of the problems selected."""
    saved = Field("")
    """Reference of a subset that was just saved, until that is said."""
    pinned = Field(False)
    """Whether the map leaves room for the problem, rather than lie below it."""
    combine = Field("New")
    """How the next lasso and the selection are put together: a key of `filters.COMBINE`."""
    picked: Field[tuple[str, ...]] = Field(())
    """How the selection was made, step by step."""

    def clear(self) -> None:
        """Nothing is selected."""
        self.rows, self.picked = (), ()


class Workbench(Group):
    """Which pairs the leakage workbench shows."""

    rank = Field("cosine", "rank", one_of("cosine", "overlap"))
    cosine = Field(0.0, "cosine", within(0.0, 1.0))
    overlap = Field(0.0, "overlap", within(0.0, 1.0))
    """How near pairs have to be, by that measure; 0 leaves it to their kinds."""
    kinds: Field[tuple[str, ...]] = Field(COPIES, "kinds")


class RunList(Built[RunFilter]):
    """Which runs the list shows, and what of them."""

    kind = RunFilter
    search = Field(RunFilter.search, "find", longest=SEARCH_CHARACTERS)
    statuses = Field(RunFilter.statuses, "status")
    tags = Field(RunFilter.tags, "tag")
    archived = Field(RunFilter.archived, "archived")
    page = Field(1, "page", within(1, _PLACES))
    """Which page of them, counted from 1."""
    columns = Field(USUAL_COLUMNS, "columns", parse_columns)
    sort = Field(Order.by, "sort", one_of(*SORTABLE))
    rising = Field(False, "rising")
    """What the list is sorted by, and whether the smallest comes first."""
    by = Field("", "group_by", one_of("", *SETTING_NAMES))
    """The setting that the runs are grouped by, empty for none."""
    baseline = Field("", "baseline")
    """The id of the run that the others are held against, empty for none."""
    turned: Field[tuple[RunFilter, Order] | None] = Field(None)
    """What was asked for when the page was turned to, `None` before that."""
    marked: Field[tuple[str, ...]] = Field(())
    """Ids of the runs chosen in the list."""

    @property
    def order(self) -> Order:
        """How the list is sorted."""
        return Order(self.sort, descending=not self.rising)

    def show_all(self) -> None:
        """The list leaves none out."""
        self.choose(RunFilter(archived=True))


class Compared(Group):
    """Which runs are compared, and by what."""

    runs: Field[tuple[str, ...]] = Field((), "runs")
    """Their ids, empty for the list of runs."""
    curves: Field[tuple[str, ...]] = Field((), "curves")
    """Keys of the curves in their order, empty for the usual ones."""
    by = Field("", "by")
    """By what two are compared problem by problem: a column of `job_outcomes`, empty for the first that both have."""


class Studied(Group):
    """The study that is looked at."""

    study = Field("", "study")
    """Its id, empty for none."""
    first = Field("", "arm")
    other = Field("", "other_arm")
    """The arms that are held against each other, by their labels; empty for the first and the last."""


class ShownRun(Group):
    """The run that is looked at, and its curves."""

    run = Field("", "run")
    """Its id, empty for the list of runs."""
    tab = Field("", "tab")
    """Which part is shown, empty for the first."""
    smoothing = Field(0.0, "smooth", within(0.0, 0.99))
    """The weight of the past in curves that are drawn smoothed, also where runs are compared."""
    axis = Field(STEP, "axis", one_of(*AXES))
    """What curves are drawn over, also where runs are compared: a key of `axes.AXES`."""
    panels: Field[tuple[str, ...]] = Field((), "panels")
    """Keys of the curves in their order, empty for all in their own."""
    window: Field[tuple[float, ...]] = Field((), "window", parse_range)
    """The first and the last step that the curves show, empty for the whole run; also where runs are compared."""
    differing = Field(False, "differing")
    """Whether of its settings only those are shown that are not its preset's."""
    chosen_for = Field("")
    """The run that steps, group and problem were chosen for."""


class RunLog(Group):
    """Which lines of a run's log are shown."""

    search = Field("", "log", longest=SEARCH_CHARACTERS)
    levels: Field[tuple[str, ...]] = Field((), "loglevel", parse_levels)
    """Any of `run_log.LEVELS`; with none, all."""


class RunMap(Group):
    """A run's map."""

    colour = Field("pass_rate", "map", one_of(*MAP_COLOURS))
    step = Field(0, "until", _STEPS)
    window = Field(0, "last", _STEPS)
    """Training is shown up to a step (0 for the latest), of so many steps (0 for all)."""
    problem = Field("", "point")
    """The id of the problem chosen, empty when none is."""
    rows: Field[tuple[int, ...]] = Field(())
    """Rows of the map that are selected: of a run's map, or of that of two runs."""


class Completions(Group):
    """Which of a run's completions are shown."""

    browse = Field("groups", "browse", one_of("groups", "search", "gold"))
    step = Field(0, "step", _STEPS)
    """The training step, 0 for the latest."""
    group = Field(1, "group", within(1, _PLACES))
    completion = Field(0, "completion", within(0, _PLACES))
    """Which group of the step, and which completion of the group stands out (0 for none), both counted from 1."""
    differences = Field(False, "differences")
    """Whether it is shown how the others differ from it."""
    glance = Field(True, "glance")
    """Whether the step is shown at a glance."""
    bin: Field[Bin | None] = Field(None, "bin", parse_bin, str)
    """What those of the step have in common that are shown instead of a group."""
    bin_page = Field(0)
    """Which page of them, counted from 0."""
    looks_for = Field(0)
    """How often the person went to the search by its key."""


class Tokens(Group):
    """The tokens of a completion under two models."""

    shown = Field(False, "tokens")
    """Whether they are looked at, of the completion that stands out."""
    beside = Field(0, "beside", within(0, _PLACES))
    """Another completion of the group that is shown too, counted from 1; 0 for none."""
    by: Field[MeasureName] = Field("ratio", "tokens_by", choice(MeasureName))
    """What colours them: a key of `token_figure.MEASURES`."""
    model = Field(NEWEST, "under", within(NEWEST, 1_000_000_000))
    against = Field(BEGINNING, "against_step", within(BEGINNING, 1_000_000_000))
    """Checkpoints of the run by their steps, or what it began with."""
    asked = Field(False)
    """Whether the person has asked for scores: further ones then come by themselves."""
    exchanges: Field[tuple[Any, ...]] = Field(())
    """The latest `training.jobs.playground.Scores`, the newest first."""


class Judging(Group):
    """Which two judges are held against each other, and which answers are shown of those on which they differ."""

    evaluation = Field("", "judged")
    """The label of the evaluation whose completions they are; empty for those of training."""
    first = Field("", "judge")
    second = Field("", "other_judge")
    """By name; empty for the usual ones."""
    kind = Field("", "right_by", one_of("", "first", "second"))
    """Which answers are listed: those that the first or the second judge alone finds right; empty for all."""
    page = Field(1, "answers", within(1, _PLACES))
    """Which page of them, counted from 1."""
    answer = Field("", "answer")
    """The digest of the one that is read; empty for the first that nobody has marked."""


class Search(Built[Asked]):
    """Which completions are looked for."""

    kind = Asked
    text = Field(Asked.text, "text", longest=SEARCH_CHARACTERS)
    verdict: Field[Verdict] = Field(Asked.verdict, "verdict", choice(Verdict))
    reward = Field(Asked.reward, "reward")
    level: Field[Level] = Field(Asked.level, "level", choice(Level))
    order: Field[RolloutOrder] = Field(Asked.order, "order", choice(RolloutOrder))
    pages: Field[tuple[Asked, tuple[Key, ...]]] = Field((Asked(), ()))
    """What was asked, and where the pages begin that were turned to since, the present one last."""


class Launch(Group):
    """The launch form."""

    preset = Field("demo", "preset")
    """The preset that it begins with."""
    origin = Field("", "from", followed=False)
    """The run whose configuration it begins with instead, empty for the preset."""
    changes: Field[Changes] = Field({}, "set", parse_changes, write_changes, longest=ADDRESS_CHARACTERS)
    """What was changed; never changed in place."""
    shelf: Field[Mapping[str, Changes]] = Field({})
    """The changes made to other presets and runs, kept for when one comes back to them."""
    subset = Field("", "train_on")
    """The subset to train on, `launch_changes.WHOLE` for none; empty for what the preset or run says."""
    everything = Field(False, "all")
    """Whether the form asks for every setting, not only for those that most runs choose."""
    then = Field("", "then")
    """The preset of a second run, which begins with this one's last checkpoint; empty for none."""
    vary = Field("", "vary")
    """Settings and values of a study, a line each; empty for a single run."""
    seeds = Field(3, "seeds", within(1, 100))
    """Of a study."""
    backend = Field("local", "backend")
    """One of `training.backends.registry.backend_names`."""


class Evaluated(Group):
    """What Evaluate shows."""

    part = Field("compare", "part", one_of("compare", "scaling", "measure", "ask"))
    job = Field("", "evaluated")
    """The id of the evaluation of a model alone that is compared; empty for the run's evaluations."""
    evaluations: Field[tuple[str, ...]] = Field((), "evaluations")
    """Those side by side, as `<job>:<label>`; empty for the run's own."""
    base = Field("", "base")
    against = Field("", "against")
    """The two that are compared problem by problem; empty for the first and the last."""
    article = Field(False, "article")
    """Whether the article's own figures stand beside."""
    measure = Field("", "measure")
    change = Field("gained", "change")
    """Of which problems, also on a run's map: a key of `evaluation_figures.CHANGES`."""
    answered = Field("", "answered")
    """The problem whose completions are shown side by side."""


class Scaled(Group):
    """What Evaluate shows of test-time scaling."""

    shown: Field[tuple[str, ...]] = Field((), "scaled")
    """The evaluations, as `<job>:<label>`; empty for those of the newest job that has any."""
    scorer = Field("", "scorer")
    """The judge, or the reward on record, by whose scores is chosen; empty for the usual one."""
    aggregation: Field[Aggregation] = Field("last", "steps_to", choice(Aggregation))
    measure = Field("", "right")
    """By what an answer is right, a key of `comparison.correctness_measures`; empty for the run's verifier."""
    axis = Field("k", "over", one_of("k", "tokens"))
    by = Field("difficulty", "split_by", one_of("difficulty", "steps", "cluster"))
    of = Field("", "of")
    """The evaluation that is split, and whose problems are listed; empty for the last."""
    problem = Field("", "scaled_problem")


class Asking(Group):
    """What a model is asked, and how."""

    model = Field("", "ask")
    """The checkpoint's folder or the model; empty for the newest checkpoint."""
    question = Field("", longest=LONG_TEXT_CHARACTERS)
    gold = Field("")
    system = Field(SYSTEM_PROMPT, longest=LONG_TEXT_CHARACTERS)
    system_turn: Field[SystemTurn] = Field("system")
    template: Field[ChatTemplate] = Field("model")
    form = Field(TAGS.name)
    """How the answer is marked."""
    temperature = Field(0.0)
    samples = Field(1)
    length = Field(200)
    exchange: Field[Any] = Field(None)
    """The `training.jobs.playground.Exchange` whose answers are shown."""


class Bench(Group):
    """What the reward bench scores."""

    completion = Field("", longest=100_000)
    gold = Field("")
