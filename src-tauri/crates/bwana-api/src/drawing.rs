//! Pages of PDF files as pictures. The worker draws them, one process a page and one at a time: whatever a file makes it do
//! ends with it, and within a time a person waits.

use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bwana_llm::local::leave_secrets_behind;
use bwana_tools::ArtifactFolder;
use bwana_types::drawing::{DRAW_FLAG, DRAWN_FILE_MAX_BYTES, Drawn, Undrawn};
use bwana_types::error::ApiError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::app::{App, artifacts_folder};
use crate::artifacts::{listed, not_read};
use crate::command::Ctx;

/// A page that is not drawn by then never is.
const PAGE_MAX: Duration = Duration::from_secs(20);
/// Bytes of the picture of a page.
const PICTURE_MAX_BYTES: u64 = 8 * 1024 * 1024;
/// Pixels, where nothing is asked for.
const WIDTH: u32 = 1_024;

/// Held while a page is drawn: two would take the machine from whatever else is at work.
static ONE: Mutex<()> = Mutex::const_new(());

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageRequest {
    /// An id, or its last characters.
    pub run: String,
    /// Of the run's own list of files; a PDF by its content, whatever its name.
    pub file: String,
    /// From 0.
    #[serde(default)]
    pub page: u32,
    /// Of the picture, in pixels; 0: as usual. It is brought to what is possible.
    #[serde(default)]
    pub width: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PageShown {
    /// Of the file; 0: it is not known.
    pub pages: u32,
    /// Of the picture, in pixels.
    pub width: u32,
    pub height: u32,
    /// PNG in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub png: Option<String>,
    /// Why there is no picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undrawn: Option<Undrawn>,
}

impl PageShown {
    fn new(drawn: &Drawn, png: Option<&[u8]>) -> Self {
        Self {
            pages: drawn.pages,
            width: drawn.width,
            height: drawn.height,
            png: png.map(|bytes| STANDARD.encode(bytes)),
            undrawn: drawn.undrawn,
        }
    }
}

pub(crate) async fn page(
    app: &App,
    _ctx: Ctx,
    request: PageRequest,
) -> Result<PageShown, ApiError> {
    let (run, listed) = listed(app, &request.run, &request.file)?;
    let not = |why| Ok(PageShown::new(&Drawn::not(why), None));
    let Ok(worker) = app.hub().local().worker() else {
        return not(Undrawn::Unavailable);
    };
    let folder = artifacts_folder(app.home()).join(run.to_string());
    let piece = ArtifactFolder::peek(folder, &listed.file, 0, DRAWN_FILE_MAX_BYTES)
        .await
        .map_err(|error| not_read(&error))?;
    if piece.total > DRAWN_FILE_MAX_BYTES {
        return not(Undrawn::TooLarge);
    }
    let mut command = Command::new(worker);
    leave_secrets_behind(&mut command);
    let width = if request.width == 0 {
        WIDTH
    } else {
        request.width
    };
    command
        .args([DRAW_FLAG, &request.page.to_string(), &width.to_string()])
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let _one = ONE.lock().await;
    Ok(match within(PAGE_MAX, command, &piece.bytes).await {
        Ok((drawn, png)) if drawn.undrawn.is_none() => PageShown::new(&drawn, Some(&png)),
        Ok((drawn, _)) => PageShown::new(&drawn, None),
        Err(why) => PageShown::new(&Drawn::not(why), None),
    })
}

/// The same with an end: what is not drawn by then takes no more of the machine.
async fn within(
    most: Duration,
    command: Command,
    file: &[u8],
) -> Result<(Drawn, Vec<u8>), Undrawn> {
    let answer = tokio::time::timeout(most, drawn(command, file)).await;
    answer.unwrap_or(Err(Undrawn::TooMuch))
}

/// What the worker says, and the bytes behind it.
async fn drawn(mut command: Command, file: &[u8]) -> Result<(Drawn, Vec<u8>), Undrawn> {
    let mut child = command.spawn().map_err(|_| Undrawn::Unavailable)?;
    let (Some(mut to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Undrawn::Unavailable);
    };
    let give = async move {
        // One that ends before it has heard everything says why in its answer, or by having none.
        let _ = to.write_all(file).await;
    };
    let mut answer = Vec::new();
    let mut from = from.take(PICTURE_MAX_BYTES + 1);
    let ((), heard) = tokio::join!(give, from.read_to_end(&mut answer));
    heard.map_err(|_| Undrawn::TooMuch)?;
    if answer.len() as u64 > PICTURE_MAX_BYTES {
        return Err(Undrawn::TooLarge);
    }
    let ended = child.wait().await.map_err(|_| Undrawn::TooMuch)?;
    let line = answer.iter().position(|byte| *byte == b'\n');
    let (line, png) = line
        .and_then(|end| answer.split_at_checked(end + 1))
        .filter(|_| ended.success())
        // It broke down over this file.
        .ok_or(Undrawn::TooMuch)?;
    let said = serde_json::from_slice(line).map_err(|_| Undrawn::TooMuch)?;
    Ok((said, png.to_vec()))
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A worker that does this.
    async fn check(does: &str, expected: Result<&[u8], Undrawn>) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("worker");
        std::fs::write(&program, format!("#!/bin/sh\n{does}\n")).unwrap();
        std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        let mut command = Command::new(program);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let limit = if expected == Err(Undrawn::TooMuch) {
            Duration::from_millis(300)
        } else {
            PAGE_MAX
        };
        let answer = within(limit, command, b"%PDF-1.7").await;
        let png = answer.as_ref().map(|(_, png)| png.as_slice());
        assert_eq!(png, expected.as_ref().copied(), "{does}");
    }

    const HEAD: &str = r#"{"pages":1,"width":2,"height":3,"undrawn":null}"#;

    #[tokio::test]
    async fn a_worker_that_breaks_off_lies_or_never_ends_gives_no_picture_and_is_gone() {
        check(
            &format!("cat > /dev/null; echo '{HEAD}'; printf png"),
            Ok(b"png"),
        )
        .await;
        // It hears nothing of the file, and answers all the same.
        check(&format!("exec <&-; echo '{HEAD}'; printf png"), Ok(b"png")).await;
        check("exit 0", Err(Undrawn::TooMuch)).await;
        check(&format!("echo '{HEAD}'; exit 3"), Err(Undrawn::TooMuch)).await;
        check("echo no json; printf png", Err(Undrawn::TooMuch)).await;
        check("exec head -c 9000000 /dev/zero", Err(Undrawn::TooLarge)).await;
        let pid = tempfile::NamedTempFile::new().unwrap();
        let sleeps = format!("echo $$ > {}; exec sleep 600", pid.path().display());
        check(&sleeps, Err(Undrawn::TooMuch)).await;
        let pid = std::fs::read_to_string(pid.path()).unwrap();
        let process = std::path::Path::new("/proc").join(pid.trim());
        // The system takes it away when somebody has asked how it ended.
        for _ in 0..100 {
            let state = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
            if state.is_empty() || state.contains(") Z ") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{} goes on", process.display());
    }
}
