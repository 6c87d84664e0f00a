//! A web server with files that a test changes while it runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What stands under a path.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    File(Vec<u8>),
    /// Announces the whole file and breaks off after so many bytes of it, once; then it is a `File`.
    Cut(Vec<u8>, usize),
    /// A file whose length is not said.
    Unannounced(Vec<u8>),
    Redirect(String),
    Status(&'static str),
}

type Files = Arc<Mutex<BTreeMap<String, Reply>>>;
/// Path and `Range` of each request.
type Asked = Arc<Mutex<Vec<(String, Option<String>)>>>;

pub(crate) struct Site {
    pub(crate) url: String,
    files: Files,
    asked: Asked,
    task: JoinHandle<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Site {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let files = Files::default();
        let asked = Asked::default();
        let (serving, seen) = (Arc::clone(&files), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (serving, seen) = (Arc::clone(&serving), Arc::clone(&seen));
                tokio::spawn(async move { answer(stream, &serving, &seen).await });
            }
        });
        Self {
            url,
            files,
            asked,
            task,
        }
    }

    pub(crate) fn put(&self, path: &str, reply: Reply) {
        self.files.lock().unwrap().insert(path.to_owned(), reply);
    }

    /// What was asked since this was asked last.
    pub(crate) fn asked(&self) -> Vec<(String, Option<String>)> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

async fn answer(mut stream: TcpStream, files: &Files, asked: &Asked) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let range = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("range").then(|| value.to_owned())
    });
    asked.lock().unwrap().push((path.clone(), range.clone()));
    let reply = files.lock().unwrap().get(&path).cloned();
    if let Some(Reply::Cut(file, _)) = &reply {
        let whole = Reply::File(file.clone());
        files.lock().unwrap().insert(path, whole);
    }
    let from: usize = range
        .as_deref()
        .and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse()
                .ok()
        })
        .unwrap_or_default();
    let bytes = match reply {
        None => empty("404 Not Found", ""),
        Some(Reply::Status(status)) => empty(status, ""),
        Some(Reply::Redirect(to)) => empty("302 Found", &format!("location: {to}\r\n")),
        Some(Reply::Unannounced(file)) => {
            let mut bytes = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
            bytes.extend(file);
            bytes
        }
        Some(Reply::File(file)) => part(&file, from, file.len()),
        Some(Reply::Cut(file, until)) => part(&file, from, until),
    };
    let _ = stream.write_all(&bytes).await;
    let _ = stream.shutdown().await;
}

fn empty(status: &str, more: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{more}content-length: 0\r\nconnection: close\r\n\r\n")
        .into_bytes()
}

fn part(file: &[u8], from: usize, until: usize) -> Vec<u8> {
    if from > file.len() {
        return empty("416 Range Not Satisfiable", "");
    }
    let (status, range) = match from {
        0 => ("200 OK", String::new()),
        _ => (
            "206 Partial Content",
            format!(
                "content-range: bytes {from}-{}/{}\r\n",
                file.len() - 1,
                file.len()
            ),
        ),
    };
    let length = file.len() - from;
    let head = format!(
        "HTTP/1.1 {status}\r\n{range}content-length: {length}\r\nconnection: close\r\n\r\n"
    );
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&file[from..until.max(from)]);
    bytes
}
