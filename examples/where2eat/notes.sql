CREATE TABLE IF NOT EXISTS notes (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id  INTEGER NOT NULL,
    visit_id INTEGER NOT NULL, -- of the table visits in PostgreSQL
    text     TEXT NOT NULL,
    caption  TEXT NOT NULL DEFAULT '', -- of the photo
    photo    BLOB, -- thumbnail
    made_at  DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX IF NOT EXISTS notes_of_user ON notes (user_id, id DESC);
