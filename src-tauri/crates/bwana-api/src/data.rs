//! Commands about the data as a whole: backup and verify. Restoring stands apart, because it happens before there is an
//! app.
