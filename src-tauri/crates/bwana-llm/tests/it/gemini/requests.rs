//! Golden requests of the Gemini dialect.
