"""The completions of evaluations as files, each made when it is asked for."""

from collections.abc import Mapping, Sequence
from io import BytesIO

import streamlit as st

from dashboard import data
from dashboard.evaluation_catalogue import Measured
from dashboard.text import plain
from training.jobs.evaluation_files import Result, judged_by, problems_asked, result_lines, results, write_results


def render_results(shown: Sequence[Measured], titles: Mapping[str, str]) -> None:
    """A button that opens the files of each evaluation shown."""
    with st.popover("Completions", type="tertiary", icon=":material/download:"):
        st.caption("A row a completion: question, examples, settings, extracted answers, rewards, tokens.")
        for measured in shown:
            st.markdown(plain(titles[measured.id]))
            with st.container(horizontal=True, gap="small"):
                _render_files(measured)


def _render_files(measured: Measured) -> None:
    name = measured.id.replace(":", "-")
    files = (
        ("JSON lines", f"{name}.jsonl", "application/jsonl", lambda: b"".join(result_lines(_rows(measured)))),
        ("Parquet", f"{name}.parquet", "application/vnd.apache.parquet", lambda: _parquet(measured)),
    )
    for label, file_name, mime, make in files:
        st.download_button(
            label, data.file_queue().making(make), file_name=file_name, mime=mime, key=f"results {file_name}", on_click="ignore"
        )


def _rows(measured: Measured) -> list[Result]:
    job, key = data.store().job(measured.heading.job_id), measured.heading.key
    return results(job, data.evaluation(key), problems_asked(job, data.home()), judged_by(data.store(), key))


def _parquet(measured: Measured) -> bytes:
    file = BytesIO()
    write_results(_rows(measured), file)
    return file.getvalue()
