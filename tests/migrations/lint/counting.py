"""Plays the request of a run on SQLite, and tells which losses its counts refuse."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

import apsw

from crane_infra.migrations.lint.judge import Examined
from crane_infra.migrations.lint.row_counts import Counted
from crane_infra.migrations.own_tables import CREATE
from crane_infra.migrations.requests import apply_request, loss_in


def refused_by_counts(made: Sequence[str], examined: Examined) -> str:
    """The losses that the request of a run would refuse, one after the other, as each is declared."""
    refused, counts = [], examined.counts
    while loss := _first_loss(made, examined, counts):
        refused.append(loss)
        counts = tuple(replace(count, may_fall=count.may_fall or loss.endswith(f" rows of {count.label}")) for count in counts)
    return "; ".join(refused)


def _first_loss(made: Sequence[str], examined: Examined, counts: Sequence[Counted]) -> str:
    """The loss that a request with these counts refuses; empty where it does not."""
    with closing(apsw.Connection(":memory:")) as db:
        for statement in (*CREATE, *made, "PRAGMA foreign_keys = ON", "BEGIN"):
            db.execute(statement)
        for sent in apply_request(examined.file, counts, token="t", release="r", bookmark="b", listed=0):
            try:
                db.execute(sent.sql, sent.params)
            except apsw.Error as error:
                if loss := loss_in(str(error)):
                    return loss
                raise
    return ""
