//! The one SQLite file: journal, projections, blobs, backup and the owner lock.
