//! Fetching against a real server on loopback that cuts, lies and changes its mind.

use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::local::catalogue::Purpose;

/// What the server does with one request.
#[derive(Debug, Clone)]
enum Act {
    /// Serves the file, or the part asked for.
    Serve,
    /// Announces everything and closes the connection after so many bytes of the body.
    Cut(usize),
    /// The same without saying how long the body is.
    CutUnannounced(usize),
    /// Answers with the whole file, whatever part was asked for.
    IgnoreRange,
    /// Answers with a part that begins somewhere else.
    WrongPart,
    Status(&'static str),
    /// Serves another file.
    Other(Vec<u8>, &'static str),
}

struct Server {
    url: String,
    /// The `Range` of each request, or nothing.
    asked: Arc<Mutex<Vec<Option<String>>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

const ETAG: &str = "\"v1\"";

impl Server {
    /// Serves `file`, one act a request; the last act goes on for ever.
    async fn start(file: Vec<u8>, acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/m.gguf", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let head = read_head(stream).await;
                let count = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(head.range.clone());
                    seen.len()
                };
                let act = acts[(count - 1).min(acts.len() - 1)].clone();
                answer(head, &file, act).await;
            }
        });
        Self { url, asked, task }
    }

    fn asked(&self) -> Vec<Option<String>> {
        self.asked.lock().unwrap().clone()
    }
}

struct Head {
    stream: TcpStream,
    range: Option<String>,
    if_range: Option<String>,
}

async fn read_head(mut stream: TcpStream) -> Head {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap() == 0 {
            break;
        }
        text.push(byte[0]);
    }
    let text = String::from_utf8(text).unwrap();
    let header = |name: &str| {
        text.lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
    };
    Head {
        range: header("range"),
        if_range: header("if-range"),
        stream,
    }
}

async fn answer(mut head: Head, file: &[u8], act: Act) {
    let (file, etag) = match &act {
        Act::Other(other, etag) => (other.as_slice(), *etag),
        _ => (file, ETAG),
    };
    let from = head
        .range
        .as_deref()
        .filter(|_| head.if_range.as_deref().is_none_or(|tag| tag == etag))
        .and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse()
                .ok()
        })
        .unwrap_or(0_usize);
    let (status, from) = match &act {
        Act::Status(status) => {
            let text =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = head.stream.write_all(text.as_bytes()).await;
            return;
        }
        Act::IgnoreRange => ("200 OK", 0),
        _ if from > file.len() => ("416 Range Not Satisfiable", file.len()),
        _ if from > 0 => ("206 Partial Content", from),
        _ => ("200 OK", 0),
    };
    let shown = if matches!(act, Act::WrongPart) {
        0
    } else {
        from
    };
    let body = &file[from..];
    let mut text = format!("HTTP/1.1 {status}\r\netag: {etag}\r\nconnection: close\r\n");
    if status.starts_with("206") {
        text += &format!(
            "content-range: bytes {shown}-{}/{}\r\n",
            file.len() - 1,
            file.len()
        );
    }
    if !matches!(act, Act::CutUnannounced(_)) {
        text += &format!("content-length: {}\r\n", body.len());
    }
    text += "\r\n";
    let until = match act {
        Act::Cut(n) | Act::CutUnannounced(n) => n.min(body.len()),
        _ => body.len(),
    };
    let _ = head.stream.write_all(text.as_bytes()).await;
    let _ = head.stream.write_all(&body[..until]).await;
    let _ = head.stream.shutdown().await;
}

fn model(bytes: usize) -> Vec<u8> {
    let head = gguf::tests::sample(0).len();
    gguf::tests::sample(bytes - head)
}

fn sha256(bytes: &[u8]) -> String {
    record::hex(&Sha256::digest(bytes))
}

struct Bench {
    folder: tempfile::TempDir,
    fetcher: Fetcher,
}

impl Bench {
    fn new(entry: Entry) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Only its first call in the process does something.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let fetcher = Fetcher::new(folder.path().join("models"), client)
            .with_catalogue(Catalogue {
                models: vec![entry],
            })
            .with_retry_pause(Duration::from_millis(1))
            .with_pip(false);
        Self { folder, fetcher }
    }

    async fn pull(&self) -> Result<Installed, FetchError> {
        self.fetcher.pull("m", &mut |_| {}).await
    }

    /// Names of what is in the models folder, locks apart.
    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.folder.path().join("models"))
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with(".lock"))
            .collect();
        names.sort();
        names
    }
}

fn entry(url: &str, file: &[u8], pinned: bool) -> Entry {
    Entry {
        id: "m".into(),
        title: "M".into(),
        publisher: "Test".into(),
        licence: "Apache-2.0".into(),
        file: "m.gguf".into(),
        size_bytes: file.len() as u64,
        sha256: pinned.then(|| sha256(file)),
        context_tokens: 512,
        parameters_millions: 1,
        ram_min_bytes: 1,
        purpose: Purpose::Starter,
        small: true,
        sources: vec![Source::Url { url: url.into() }],
    }
}

async fn bench(file: &[u8], acts: Vec<Act>, pinned: bool) -> (Server, Bench) {
    let server = Server::start(file.to_vec(), acts).await;
    let bench = Bench::new(entry(&server.url, file, pinned));
    (server, bench)
}

#[tokio::test]
async fn a_download_is_counted_unless_it_comes_from_this_machine() {
    let file = model(300_000);
    for counted in [false, true] {
        let (_server, mut bench) = bench(&file, vec![Act::Serve], true).await;
        let traffic = Traffic::default();
        if counted {
            traffic.count_this_machine();
        }
        bench.fetcher = bench.fetcher.with_traffic(traffic.clone());
        bench.pull().await.unwrap();
        let expected = if counted { 300_000 } else { 0 };
        assert_eq!(traffic.total().received, expected);
    }
}

#[tokio::test]
async fn a_model_is_fetched_checked_and_recorded() {
    let file = model(300_000);
    let (server, bench) = bench(&file, vec![Act::Serve], true).await;
    let mut seen = Vec::new();
    let installed = bench
        .fetcher
        .pull("m", &mut |progress| seen.push(progress))
        .await
        .unwrap();
    assert_eq!(std::fs::read(&installed.path).unwrap(), file);
    assert_eq!(bench.files(), ["m.gguf", "m.gguf.json"]);
    let record = bench.fetcher.record_of(&installed).unwrap();
    assert_eq!(
        (record.sha256, record.trust),
        (sha256(&file), Trust::Pinned)
    );
    assert_eq!(record.source, server.url);
    let last = seen.last().unwrap();
    assert_eq!(
        (last.done_bytes, last.total_bytes),
        (300_000, Some(300_000))
    );
    bench.pull().await.unwrap();
    assert_eq!(
        server.asked().len(),
        1,
        "what is there is not fetched again"
    );
}

#[tokio::test]
async fn a_cut_download_goes_on_where_it_stopped() {
    let file = model(400_000);
    for cut in [Act::Cut(100_000), Act::CutUnannounced(100_000)] {
        for pinned in [true, false] {
            let acts = vec![cut.clone(), cut.clone(), Act::Serve];
            let (server, bench) = bench(&file, acts, pinned).await;
            if !pinned && matches!(cut, Act::CutUnannounced(_)) {
                let error = bench.pull().await.unwrap_err().to_string();
                assert!(error.contains("does not say how long"), "{error}");
                continue;
            }
            let installed = bench.pull().await.unwrap();
            assert_eq!(std::fs::read(&installed.path).unwrap(), file);
            let asked = server.asked();
            assert_eq!(asked.len(), 3);
            assert_eq!(asked[0], None);
            for range in &asked[1..] {
                let from = range.as_deref().unwrap();
                assert!(from.starts_with("bytes=") && from != "bytes=0-", "{from}");
            }
        }
    }
}

#[tokio::test]
async fn a_broken_fetch_is_continued_by_the_next_one() {
    let file = model(200_000);
    let acts = vec![Act::Cut(50_000), Act::Status("404 Not Found"), Act::Serve];
    let (server, bench) = bench(&file, acts, true).await;
    let error = bench.pull().await.unwrap_err().to_string();
    assert!(
        error.contains("404 Not Found") && error.contains("models add FILE"),
        "{error}"
    );
    assert_eq!(bench.files(), ["m.gguf.part", "m.gguf.part.json"]);
    bench.pull().await.unwrap();
    assert!(server.asked()[2].is_some(), "the beginning was kept");
    assert_eq!(bench.files(), ["m.gguf", "m.gguf.json"]);
}

#[tokio::test]
async fn a_server_that_knows_no_parts_or_sends_the_wrong_one_is_coped_with() {
    let file = model(200_000);
    for second in [Act::IgnoreRange, Act::WrongPart, Act::Status("503 Busy")] {
        let (_server, bench) = bench(&file, vec![Act::Cut(9_000), second, Act::Serve], true).await;
        let installed = bench.pull().await.unwrap();
        assert_eq!(std::fs::read(installed.path).unwrap(), file);
    }
}

#[tokio::test]
async fn halves_of_two_files_are_never_joined() {
    let file = model(200_000);
    let mut newer = model(210_000);
    newer[1_000..].reverse();
    let acts = vec![Act::Cut(80_000), Act::Other(newer.clone(), "\"v2\"")];
    let (_server, bench) = bench(&file, acts, false).await;
    let installed = bench.pull().await.unwrap();
    assert_eq!(std::fs::read(installed.path).unwrap(), newer);
}

#[tokio::test]
async fn a_file_with_the_wrong_hash_is_deleted_and_named() {
    let file = model(100_000);
    let mut wrong = file.clone();
    wrong[50_000] ^= 1;
    let (_server, bench) = bench(&file, vec![Act::Other(wrong.clone(), ETAG)], true).await;
    match bench.pull().await.unwrap_err() {
        FetchError::HashMismatch {
            expected, actual, ..
        } => assert_eq!((expected, actual), (sha256(&file), sha256(&wrong))),
        other => panic!("{other}"),
    }
    assert!(bench.files().is_empty(), "{:?}", bench.files());
}

#[tokio::test]
async fn a_file_of_another_size_is_refused_before_or_while_it_comes() {
    let file = model(100_000);
    let larger = model(150_000);
    for (pinned, act) in [
        (true, Act::Other(larger.clone(), ETAG)),
        (false, Act::Other(larger.clone(), ETAG)),
    ] {
        let (_server, bench) = bench(&file, vec![act], pinned).await;
        let error = bench.pull().await.unwrap_err().to_string();
        assert!(error.contains("150000 bytes where"), "{error}");
        assert!(!bench.files().contains(&"m.gguf".to_owned()));
    }
    // A server that does not say how much it will send is stopped when it is too much.
    let server = Server::start(larger, vec![Act::CutUnannounced(usize::MAX)]).await;
    let bench = Bench::new(entry(&server.url, &file, true));
    let error = bench.pull().await.unwrap_err().to_string();
    assert!(error.contains("more than the 100000 bytes"), "{error}");
    assert!(bench.files().is_empty(), "{:?}", bench.files());
}

#[tokio::test]
async fn a_source_that_stays_broken_is_given_up_and_the_next_is_tried() {
    let file = model(50_000);
    let broken = Server::start(file.clone(), vec![Act::Status("500 Oops")]).await;
    let good = Server::start(file.clone(), vec![Act::Serve]).await;
    let mut both = entry(&broken.url, &file, true);
    both.sources.push(Source::Url {
        url: good.url.clone(),
    });
    let bench = Bench::new(both);
    bench.pull().await.unwrap();
    assert_eq!(broken.asked().len(), 5);
    assert_eq!(good.asked().len(), 1);
}

#[tokio::test]
async fn every_source_that_failed_is_named() {
    let file = model(50_000);
    let mut nowhere = entry("http://127.0.0.1:1/m.gguf", &file, true);
    nowhere.sources.push(Source::Pypi {
        package: "some-package".into(),
        version: "1".into(),
        member: "m".into(),
    });
    let bench = Bench::new(nowhere);
    let error = bench.pull().await.unwrap_err().to_string();
    for words in ["refused", "some-package was not tried", "models add FILE"] {
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[tokio::test]
async fn the_first_fetch_without_a_known_hash_binds_the_later_ones() {
    let file = model(60_000);
    let mut other = file.clone();
    other[40_000] ^= 1;
    let acts = vec![Act::Serve, Act::Other(other, "\"v2\""), Act::Serve];
    let (_server, bench) = bench(&file, acts, false).await;
    let installed = bench.pull().await.unwrap();
    assert_eq!(
        bench.fetcher.record_of(&installed).unwrap().trust,
        Trust::FirstUse
    );
    assert!(bench.fetcher.remove("m").unwrap());
    let error = bench.pull().await.unwrap_err();
    assert!(matches!(error, FetchError::HashMismatch { .. }), "{error}");
    bench.pull().await.unwrap();
}

#[tokio::test]
async fn a_damaged_model_is_replaced() {
    let file = model(60_000);
    let (server, bench) = bench(&file, vec![Act::Serve], true).await;
    let installed = bench.pull().await.unwrap();
    std::fs::write(&installed.path, &file[..30_000]).unwrap();
    bench.pull().await.unwrap();
    assert_eq!(std::fs::read(&installed.path).unwrap(), file);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn something_that_is_no_model_is_not_installed() {
    let page = b"<html>Please log in to the hotel network</html>".to_vec();
    let (_server, bench) = bench(&page, vec![Act::Serve], false).await;
    let error = bench.pull().await.unwrap_err();
    assert!(matches!(error, FetchError::NotAModel { .. }), "{error}");
    assert!(bench.files().is_empty());
}

#[tokio::test]
async fn two_programs_do_not_fetch_one_model() {
    let file = model(60_000);
    let (server, bench) = bench(&file, vec![Act::Serve], true).await;
    std::fs::create_dir_all(bench.folder.path().join("models")).unwrap();
    let target = bench.folder.path().join("models/m.gguf");
    let lock = record::Lock::take(&target, "m").unwrap();
    let error = bench.pull().await.unwrap_err();
    assert!(matches!(error, FetchError::Busy { .. }), "{error}");
    assert!(server.asked().is_empty());
    drop(lock);
    bench.pull().await.unwrap();
}

#[tokio::test]
async fn a_model_larger_than_the_disk_is_not_begun() {
    let file = model(60_000);
    let (server, bench) = bench(&file, vec![Act::Serve], true).await;
    let mut huge = bench.fetcher.catalogue.clone();
    huge.models[0].size_bytes = u64::MAX / 4;
    let fetcher = bench.fetcher.clone().with_catalogue(huge);
    let error = fetcher.pull("m", &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, FetchError::NoSpace { .. }), "{error}");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_file_of_the_person_is_taken_and_recognised() {
    let file = model(60_000);
    let (_server, bench) = bench(&file, vec![Act::Serve], true).await;
    let own = bench.folder.path().join("Downloaded (1).gguf");
    std::fs::write(&own, &file).unwrap();
    let installed = bench.fetcher.add_file(&own, &mut |_| {}).await.unwrap();
    assert_eq!(installed.name, "m", "recognised by its hash");
    assert_eq!(
        bench.fetcher.record_of(&installed).unwrap().trust,
        Trust::Pinned
    );
    assert!(own.exists());

    let mut other = file.clone();
    other[9_000] ^= 1;
    let mine = bench.folder.path().join("my-model.gguf");
    std::fs::write(&mine, &other).unwrap();
    let installed = bench.fetcher.add_file(&mine, &mut |_| {}).await.unwrap();
    assert_eq!(installed.name, "my-model");
    assert_eq!(
        bench.fetcher.record_of(&installed).unwrap().trust,
        Trust::Person
    );
    assert_eq!(bench.fetcher.installed().len(), 2);
    assert!(bench.fetcher.remove("my-model").unwrap());
    assert!(!bench.fetcher.remove("my-model").unwrap());
    assert_eq!(bench.files(), ["m.gguf", "m.gguf.json"]);

    // A wrong file may not call itself by a pinned name.
    let fake = bench.folder.path().join("m.gguf");
    std::fs::write(&fake, &other).unwrap();
    let error = bench
        .fetcher
        .add_file(&fake, &mut |_| {})
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::HashMismatch { .. }), "{error}");
    let bad_name = bench.folder.path().join("it's mine.gguf");
    std::fs::write(&bad_name, &other).unwrap();
    let error = bench
        .fetcher
        .add_file(&bad_name, &mut |_| {})
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::BadName { .. }), "{error}");
    let text = bench.folder.path().join("text.gguf");
    std::fs::write(&text, "hello").unwrap();
    let error = bench
        .fetcher
        .add_file(&text, &mut |_| {})
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::NotAModel { .. }), "{error}");
}

#[tokio::test]
async fn a_name_outside_the_catalogue_is_not_fetched() {
    let bench = Bench::new(entry("http://127.0.0.1:1/m", &model(9_000), true));
    let error = bench.fetcher.pull("../m", &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, FetchError::BadName { .. }), "{error}");
    assert!(bench.fetcher.remove("../m").is_err());
}

#[tokio::test]
async fn too_little_room_is_said_with_what_is_missing_before_anything_is_asked() {
    const FREE_BYTES: u64 = 50_000;
    let file = model(60_000);
    let (server, bench) = bench(&file, vec![Act::Serve], true).await;
    let fetcher = bench.fetcher.clone().with_free_space(|_| Ok(FREE_BYTES));
    let missing = 60_000 + FREE_MARGIN_BYTES - FREE_BYTES;
    let own = bench.folder.path().join("own.gguf");
    std::fs::write(&own, &file).unwrap();
    for error in [
        fetcher.pull("m", &mut |_| {}).await.unwrap_err(),
        fetcher.add_file(&own, &mut |_| {}).await.unwrap_err(),
    ] {
        let words = error.to_string();
        assert!(words.ends_with(&format!("{missing} too few")), "{words}");
    }
    assert!(server.asked().is_empty());
    assert!(bench.files().is_empty());
}

#[tokio::test]
async fn removing_takes_the_half_fetched_file_too_and_nothing_that_is_used() {
    let file = model(60_000);
    let (_server, bench) = bench(&file, vec![Act::Serve], true).await;
    let installed = bench.pull().await.unwrap();
    let used = record::Use::hold(&installed.path).unwrap();
    let error = bench.fetcher.remove("m").unwrap_err();
    assert!(matches!(error, FetchError::InUse { .. }), "{error}");
    assert!(installed.path.exists());
    drop(used);
    assert!(bench.fetcher.remove("m").unwrap());
    std::fs::write(part_of(&installed.path), b"half").unwrap();
    assert!(bench.fetcher.remove("m").unwrap());
    assert!(!bench.fetcher.remove("m").unwrap());
    assert!(bench.files().is_empty(), "{:?}", bench.files());
}

#[tokio::test]
async fn a_model_whose_weights_are_cut_is_refused() {
    let bench = Bench::new(entry("http://127.0.0.1:1/m", &model(9_000), true));
    let own = bench.folder.path().join("cut.gguf");
    std::fs::write(&own, gguf::tests::sample(10)).unwrap();
    let error = bench.fetcher.add_file(&own, &mut |_| {}).await.unwrap_err();
    assert!(
        error.to_string().contains("weights are not all there"),
        "{error}"
    );
    assert!(bench.files().is_empty());
}

#[tokio::test]
async fn a_download_broken_anywhere_is_whole_in_the_end() {
    let file = model(40_000);
    for cut in [0, 1, 23, 4_096, 20_000, 39_999] {
        let (_server, bench) = bench(&file, vec![Act::Cut(cut), Act::Serve], true).await;
        let installed = bench.pull().await.unwrap();
        assert_eq!(
            std::fs::read(&installed.path).unwrap(),
            file,
            "cut at {cut}"
        );
    }
}

#[tokio::test]
async fn a_redirect_is_followed() {
    let file = model(60_000);
    let moved = Act::Status("302 Found\r\nlocation: /elsewhere/m.gguf");
    let (server, moved_bench) = bench(&file, vec![moved, Act::Serve], true).await;
    moved_bench.pull().await.unwrap();
    assert_eq!(server.asked().len(), 2);
}
