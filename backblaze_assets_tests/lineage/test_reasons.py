"""Why something is out of date, in words."""

from datetime import date

import pytest

from backblaze_assets.graph import GRAPH, upstream_of
from backblaze_assets.lineage.reasons import Reason, sentence, why
from backblaze_assets.lineage.status import Status
from backblaze_assets_tests.project import write_fleet

Q2 = date(2013, 4, 1)


def test_what_is_up_to_date_needs_no_reason(built):
    assert why(built.lineage(), list(GRAPH)) == []


def test_what_is_missing_is_said_per_asset(project):
    project.update("raw_quarter")
    reasons = why(project.lineage(), upstream_of(["survival"]))
    assert [(reason.asset, reason.status) for reason in reasons] == [
        ("drive_lifetimes", Status.MISSING),
        ("survival", Status.MISSING),
    ]
    assert sentence(reasons[0]) == ("drive_lifetimes 2013-04-01 to 2013-07-01 (2) is missing")
    assert [sentence(it) for it in why(project.lineage(), ["report"])] == ["report is missing"]


@pytest.mark.slow
def test_the_changed_zip_is_the_reason(project):
    project.update("drive_lifetimes")
    write_fleet(project.root, last=date(2013, 7, 7))
    [raw] = why(project.lineage(), ["raw_quarter"])
    assert (raw.keys, raw.status) == (["2013-07-01"], Status.OUT_OF_DATE)
    assert "its input zip changed" in sentence(raw)
    project.update("raw_quarter")
    [lifetimes] = why(project.lineage(), ["drive_lifetimes"])
    assert [cause.what for cause in lifetimes.causes] == ["raw_quarter"]


def test_changed_code_is_the_reason(project):
    project.update("raw_quarter")
    made = project.lineage().ledger.get("raw_quarter", str(Q2))
    older = {**made.__dict__, "code_version": "0" * 32}
    lineage = project.lineage()
    lineage.ledger.note(type(made)(**older))
    [reason] = why(lineage, ["raw_quarter"])
    assert reason == Reason("raw_quarter", [str(Q2)], Status.OUT_OF_DATE, reason.causes)
    assert "the code of raw_quarter changed (000000000000 ->" in sentence(reason)
