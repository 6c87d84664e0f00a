//! A notification when a person is needed: one for each question, naming the tool and never its content, taken back when
//! the question is answered elsewhere. A click opens the question.

use bwana_api::words::Words;
use bwana_types::task::Ask;

/// Notifications shown at the same time; beyond that the icon says how many wait.
#[cfg(target_os = "linux")]
const SHOWN_MAX: usize = 5;

/// What a notification says: nothing of what an agent or a page wrote, because a lock screen shows it to anybody.
fn text(words: &Words, ask: &Ask) -> String {
    match ask {
        Ask::Approve { tool, .. } => words.say("notify.approve", &[("tool", tool)]),
        Ask::Uncertain { tool, .. } => words.say("notify.uncertain", &[("tool", tool)]),
        Ask::Plan { .. } => words.say("notify.plan", &[]),
        Ask::Price { .. } => words.say("notify.price", &[]),
        Ask::Answer { .. } => words.say("notify.answer", &[]),
    }
}

/// Where the system has no notifications with clicks, the icon alone says that somebody is needed.
#[cfg(not(target_os = "linux"))]
pub(crate) fn start(handle: &tauri::AppHandle) {
    other::start(handle.clone());
}

#[cfg(target_os = "linux")]
pub(crate) fn start(handle: &tauri::AppHandle) {
    tauri::async_runtime::spawn(linux::keep_true(handle.clone()));
}

#[cfg(target_os = "linux")]
mod linux {
    //! `org.freedesktop.Notifications` spoken directly, because the notification plugin drops clicks on this system.
    //! Source: the Desktop Notifications Specification 1.2.

    use std::collections::{BTreeMap, BTreeSet, HashMap};

    use bwana_api::arrivals::Arrived;
    use bwana_api::command::TasksList;
    use bwana_api::link::Link;
    use bwana_api::tasks::{ListRequest, TaskShown};
    use bwana_api::words::Words;
    use bwana_types::id::TaskId;
    use futures_util::StreamExt as _;
    use tauri::AppHandle;
    use zbus::zvariant::Value;

    use super::{SHOWN_MAX, text};
    use crate::shell::shell;

    #[zbus::proxy(
        interface = "org.freedesktop.Notifications",
        default_service = "org.freedesktop.Notifications",
        default_path = "/org/freedesktop/Notifications"
    )]
    trait Notifications {
        fn get_capabilities(&self) -> zbus::Result<Vec<String>>;

        #[expect(clippy::too_many_arguments, reason = "the specification's own call")]
        fn notify(
            &self,
            app_name: &str,
            replaces_id: u32,
            app_icon: &str,
            summary: &str,
            body: &str,
            actions: &[&str],
            hints: HashMap<&str, Value<'_>>,
            expire_timeout: i32,
        ) -> zbus::Result<u32>;

        fn close_notification(&self, id: u32) -> zbus::Result<()>;

        #[zbus(signal)]
        fn action_invoked(&self, id: u32, action_key: String) -> zbus::Result<()>;

        #[zbus(signal)]
        fn notification_closed(&self, id: u32, reason: u32) -> zbus::Result<()>;
    }

    /// The system decides how long.
    const EXPIRES_BY_ITSELF: i32 = -1;
    /// The click on the notification itself.
    const DEFAULT: &str = "default";

    /// Nobody who shows notifications is no mistake: the icon says it as well.
    pub(crate) async fn keep_true(handle: AppHandle) {
        if let Err(error) = run(&handle).await {
            tracing::info!(%error, "no notifications on this desktop");
        }
    }

    async fn run(handle: &AppHandle) -> zbus::Result<()> {
        let bus = zbus::Connection::session().await?;
        let desk = NotificationsProxy::new(&bus).await?;
        let clicks = desk
            .get_capabilities()
            .await?
            .iter()
            .any(|one| one == "actions");
        let mut invoked = desk.receive_action_invoked().await?;
        let mut closed = desk.receive_notification_closed().await?;
        let Ok(mut changed) = shell(handle).app.changed() else {
            return Ok(());
        };
        let mut shown: BTreeMap<TaskId, u32> = BTreeMap::new();
        // Shown once and taken away by the person: not shown again.
        let mut known: BTreeSet<TaskId> = BTreeSet::new();
        loop {
            tidy_up(handle, &desk, clicks, &mut shown, &mut known).await?;
            tokio::select! {
                news = changed.changed() => if news.is_err() { return Ok(()) },
                Some(signal) = invoked.next() => {
                    let args = signal.args()?;
                    let task = shown.iter().find(|(_, id)| **id == args.id).map(|(task, _)| *task);
                    if let Some(id) = task {
                        shell(handle).go(handle, Arrived::Link(Link::Task { id }));
                    }
                }
                Some(signal) = closed.next() => {
                    let gone = signal.args()?.id;
                    shown.retain(|_, id| *id != gone);
                }
            }
        }
    }

    /// Shows what is new and takes back what is answered.
    async fn tidy_up(
        handle: &AppHandle,
        desk: &NotificationsProxy<'_>,
        clicks: bool,
        shown: &mut BTreeMap<TaskId, u32>,
        known: &mut BTreeSet<TaskId>,
    ) -> zbus::Result<()> {
        let shell = shell(handle);
        let settings = shell.app.settings();
        // A database that cannot be read now is read at the next change.
        let Ok(list) = shell.call::<TasksList>(ListRequest::default()).await else {
            return Ok(());
        };
        let open: BTreeMap<TaskId, TaskShown> =
            list.tasks.into_iter().map(|task| (task.id, task)).collect();
        known.retain(|id| open.contains_key(id));
        let answered: Vec<TaskId> = shown
            .keys()
            .filter(|id| !open.contains_key(id))
            .copied()
            .collect();
        for id in answered {
            if let Some(id) = shown.remove(&id) {
                // Gone already: as wished.
                let _ = desk.close_notification(id).await;
            }
        }
        if !settings.notifications() {
            return Ok(());
        }
        let words = Words::of(settings.language());
        for (id, task) in open {
            if known.contains(&id) || shown.len() >= SHOWN_MAX {
                continue;
            }
            known.insert(id);
            let label = words.say("notify.show", &[]);
            let actions: &[&str] = if clicks { &[DEFAULT, &label] } else { &[] };
            let body = text(&words, &task.ask);
            let hints = HashMap::from([
                ("urgency", Value::U8(1)),
                ("desktop-entry", Value::from("bwana-desktop")),
            ]);
            let notice = desk
                .notify(
                    "Bwana",
                    0,
                    "bwana-desktop",
                    "Bwana",
                    &body,
                    actions,
                    hints,
                    EXPIRES_BY_ITSELF,
                )
                .await?;
            shown.insert(id, notice);
        }
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    //! Elsewhere a notification is shown and its click brings the program to the front by itself.

    use std::collections::BTreeSet;

    use bwana_api::command::TasksList;
    use bwana_api::tasks::ListRequest;
    use bwana_api::words::Words;
    use tauri::AppHandle;

    use super::text;
    use crate::shell::shell;

    pub(super) fn start(handle: AppHandle) {
        tauri::async_runtime::spawn(async move {
            let Ok(mut changed) = shell(&handle).app.changed() else {
                return;
            };
            let mut known = BTreeSet::new();
            loop {
                let shell = shell(&handle);
                let settings = shell.app.settings();
                let list = shell.call::<TasksList>(ListRequest::default()).await;
                for task in list.map(|list| list.tasks).unwrap_or_default() {
                    if known.insert(task.id) && settings.notifications() {
                        let words = Words::of(settings.language());
                        let body = text(&words, &task.ask);
                        let notice = notify_rust::Notification::new()
                            .summary("Bwana")
                            .body(&body)
                            .show();
                        if let Err(error) = notice {
                            tracing::info!(%error, "a notification cannot be shown");
                        }
                    }
                }
                if changed.changed().await.is_err() {
                    return;
                }
            }
        });
    }
}
