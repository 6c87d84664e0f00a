//! Connections that only read: a few are kept open, each read sees one consistent state.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use crate::db;
use crate::error::{Result, StoreError};

/// Idle connections kept open; more are opened when more read at once.
const IDLE_MAX: usize = 4;

#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    /// `None`: closed.
    idle: Mutex<Option<Vec<Connection>>>,
}

impl Readers {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            idle: Mutex::new(Some(Vec::new())),
        }
    }

    pub(crate) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.as_mut().ok_or(StoreError::Closed)?.pop()
        };
        let connection = match idle {
            Some(connection) => connection,
            None => db::open_reader(&self.path)?,
        };
        let answer = in_snapshot(&connection, read)?;
        self.give_back(connection);
        Ok(answer)
    }

    pub(crate) fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(idle) = idle.as_mut()
            && idle.len() < IDLE_MAX
        {
            idle.push(connection);
        }
    }

    pub(crate) fn close(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        *idle = None;
    }
}

/// Runs several queries against one state of the database.
pub(crate) fn in_snapshot<T>(
    db: &Connection,
    read: impl FnOnce(&Connection) -> Result<T>,
) -> Result<T> {
    let transaction = db.unchecked_transaction()?;
    let answer = read(&transaction)?;
    transaction.finish()?;
    Ok(answer)
}
