"""The tables of who may come in: invitations, sessions, consents, and what people declare of themselves.

Only digests of tokens are kept: who reads the database cannot sign in with it. The declared profile
refers to nothing and nothing refers to it, so that its table can be dropped without a trace elsewhere.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from waon_build.annotation.models import Table


class Invitation(Table):
    """A link that signs its annotator in, once, until it expires."""

    __tablename__ = "invitations"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the token in the link."""
    annotator_id: Mapped[str] = mapped_column(ForeignKey("annotators.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Session(Table):
    """A browser that is signed in."""

    __tablename__ = "sessions"
    __table_args__ = (Index("ix_sessions_annotator_id", "annotator_id"),)

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the token in the cookie."""
    annotator_id: Mapped[str] = mapped_column(ForeignKey("annotators.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class Consent(Table):
    """An annotator agreed to the terms of a guideline version."""

    __tablename__ = "consents"

    annotator_id: Mapped[str] = mapped_column(ForeignKey("annotators.id"), primary_key=True)
    guideline_version: Mapped[str] = mapped_column(String(32), primary_key=True)
    given_at: Mapped[datetime]


class Declared(Table):
    """One thing that an annotator says of themselves, and whether it may be published (in aggregate)."""

    __tablename__ = "profiles"

    annotator_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    field: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[str] = mapped_column(String(200))
    may_publish: Mapped[bool]
    declared_at: Mapped[datetime]
