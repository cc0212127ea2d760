"""Statements that are compiled once, and then run past what SQLAlchemy does anew at each call.

A judgement takes a dozen statements, and SQLAlchemy's way to the driver and back takes three times as long as
SQLite itself (measured). The server's calls go through this instead: the same statements, the same parameters,
rows that can be used alike. Only what is made once and run often is prepared, so a statement that is met a
second time; everything else goes to the connection that stands behind. What the driver raises is not wrapped
in SQLAlchemy's exceptions.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.sql.compiler import SQLCompiler

Processor = Callable[[Any], Any]
Parameters = Mapping[str, Any]


def prepared(connection: Connection, statements: Statements) -> Connection:
    """A connection that runs prepared what can be. It stands in for one in the calls of the queue and of people:
    `execute`, `scalar` and `scalars` of one set of parameters, `exec_driver_sql` of none; all else is left to the
    one behind."""
    return cast(Connection, _Shortcut(connection, statements))


class Statements:
    """The statements that were met, and how they are run. One of each dialect; threads may share it."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._known: WeakKeyDictionary[Any, dict[Any, _Statement]] = WeakKeyDictionary()

    def __len__(self) -> int:
        return len(self._known)

    def find(self, statement: Executable, parameters: Parameters) -> _Statement | None:
        """How to run it; None when it is met for the first time, or cannot be prepared."""
        forms = self._known.get(statement)
        if forms is None:
            self._known[statement] = {}
            return None
        form = _form(parameters)
        found = forms.get(form)
        if found is None and form is not None and len(forms) < _FORMS:
            found = forms[form] = _Statement(statement, self._dialect, parameters)
        return found


_FORMS = 32
"""Ways in which one statement is prepared: by which parameters are given, and how long its lists are."""


class _Statement:
    """One statement, for parameters of one form."""

    def __init__(self, statement: Executable, dialect: Dialect, parameters: Parameters) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=sorted(parameters))  # type: ignore[attr-defined]
        assert isinstance(compiled, SQLCompiler)
        state = compiled.construct_expanded_state(dict(parameters))
        self.text = state.statement
        self._order = state.positiontup
        processors = {
            key: found
            for key, bind in compiled.binds.items()
            if (found := bind.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        }
        processors |= state.processors  # of the members of lists that stand in the statement itself
        lists = {name: tuple(names) for name, names in state.parameter_expansion.items() if name in parameters}
        self._lists = [(name, names, processors.get(name)) for name, names in lists.items()]
        given = {*parameters, *(name for names in lists.values() for name in names)}
        self._constants = {name: value for name, value in state.parameters.items() if name not in given}
        for name in self._constants.keys() & processors.keys():
            self._constants[name] = processors[name](self._constants[name])
        self._processors = [
            (name, found) for name, found in processors.items() if name in parameters and name not in lists
        ]
        columns = list(statement.exported_columns)  # type: ignore[attr-defined]
        self._row: Any = namedtuple("_Row", [str(one.key) for one in columns], rename=True) if columns else None
        results = [one.type.dialect_impl(dialect).result_processor(dialect, None) for one in columns]
        self._results = [(at, found) for at, found in enumerate(results) if found is not None]

    def bound(self, parameters: Parameters) -> Any:
        """The parameters as the driver takes them."""
        values = {**self._constants, **parameters}
        for name, process in self._processors:
            values[name] = process(values[name])
        for name, names, process_each in self._lists:
            found = values[name] if process_each is None else map(process_each, values[name])
            values.update(zip(names, found, strict=True))
        return values if self._order is None else [values[name] for name in self._order]

    def rows(self, fetched: list[Any]) -> list[Any]:
        """What the driver gave, as rows with names."""
        assert self._row is not None
        if not self._results:
            return list(map(self._row._make, fetched))
        made = []
        for raw in fetched:
            values = list(raw)
            for at, process in self._results:
                values[at] = process(values[at])
            made.append(self._row._make(values))
        return made

    @property
    def returns_rows(self) -> bool:
        return self._row is not None


class _Result:
    """What a prepared statement gave, as far as callers ask for it."""

    def __init__(self, rows: list[Any], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> list[Any]:
        return self._rows

    def first(self) -> Any | None:
        return self._rows[0] if self._rows else None

    def one(self) -> Any:
        if len(self._rows) != 1:
            raise LookupError(f"one row was expected, there are {len(self._rows)}")
        return self._rows[0]

    def scalar_one(self) -> Any:
        return self.one()[0]


class _Shortcut:
    """Stands in for a connection."""

    def __init__(self, connection: Connection, statements: Statements) -> None:
        self._connection = connection
        self._statements = statements
        self._driver: Any = connection.connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: Executable, parameters: Any = None) -> Any:
        result = self._run(statement, parameters)
        return result if result is not None else self._connection.execute(statement, parameters)

    def scalar(self, statement: Executable, parameters: Any = None) -> Any:
        result = self._run(statement, parameters)
        if result is None:
            return self._connection.scalar(statement, parameters)
        row = result.first()
        return row[0] if row is not None else None

    def scalars(self, statement: Executable, parameters: Any = None) -> Any:
        result = self._run(statement, parameters)
        if result is None:
            return self._connection.scalars(statement, parameters)
        return _Result([row[0] for row in result.all()], result.rowcount)

    def exec_driver_sql(self, text: str) -> None:
        """A statement without parameters or rows, as it is."""
        self._driver.cursor().execute(text)

    def _run(self, statement: Executable, parameters: Any) -> _Result | None:
        if type(parameters) is not dict:
            return None
        found = self._statements.find(statement, parameters)
        if found is None:
            return None
        cursor = self._driver.cursor()
        try:
            cursor.execute(found.text, found.bound(parameters))
            rows = found.rows(cursor.fetchall()) if found.returns_rows else []
            return _Result(rows, cursor.rowcount)
        finally:
            cursor.close()


def _form(parameters: Parameters) -> Any | None:
    """What the text of a statement depends on; None for an empty list, which is written otherwise."""
    lists = [(name, len(value)) for name, value in parameters.items() if type(value) is list]
    if not lists:
        return tuple(parameters)
    return None if any(length == 0 for _, length in lists) else (*parameters, *lists)
