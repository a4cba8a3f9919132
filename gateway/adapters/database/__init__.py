"""SQLAlchemy behind the ports: SQLite by default, PostgreSQL by URL. The only room that speaks SQL."""
