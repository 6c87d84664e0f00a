//! The assembly: store, engine, tools, models and settings of one data folder, put together once. The only place where
//! the parts meet; what can be done with them stands in the command table.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bwana_config::{KeyPlace, Secrets, Settings, SettingsFile};
use bwana_engine::{Deps, Engine, Options};
use bwana_store::{ARTIFACTS_DIR, RunFilter, Store, StoreError};
use bwana_tools::{Egress, EgressSettings, Registry, builtin};
use bwana_types::entry::Seq;
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::id::{IdSource, RunId, TaskId};
use bwana_types::time::Clock;
use bwana_types::traffic::Traffic;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;

use crate::book::{self, Book};
use crate::caller::Caller;
use crate::care;
use crate::feed::Watches;
use crate::health::{self, Rest};
use crate::hub::Hub;
use crate::meter::{self, Meter};
use crate::moment::{Heads, Moments};
use crate::overview::Costs;
use crate::parts::Parts;
use crate::quiet;
use crate::recovering;
use crate::search::{self, Searching};
use crate::updates::{self, Updates};
use crate::window::CallText;

/// Who pauses the runs of a restored backup.
pub(crate) const RESTORED: &str = "restored backup";

/// What a host brings: where the data is, and the outside world.
#[derive(Clone)]
pub struct HostOptions {
    /// The data folder; it need not exist.
    pub home: PathBuf,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdSource>,
    /// Where keys are kept; which of the places is used, the settings say.
    pub secrets: Secrets,
    /// Nobody is there to answer: what needs a person is denied.
    pub unattended: bool,
}

/// How much of the data folder a process takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Reads beside anybody; takes no lock, starts nothing, makes nothing.
    Read,
    /// Holds the lock for one command and drives only the runs it names.
    Drive,
    /// Holds the lock, takes over every unfinished run and serves others.
    Own,
    /// Opens no database: to say what is wrong with it, and to put one that works in its place.
    Repair,
}

/// One data folder, opened. A clone is the same one.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

/// A data folder that others hold open, or no longer do.
pub(crate) struct WeakApp {
    inner: Weak<Inner>,
}

impl WeakApp {
    pub(crate) fn open(&self) -> Option<App> {
        self.inner.upgrade().map(|inner| App { inner })
    }
}

struct Inner {
    host: HostOptions,
    mode: Mode,
    /// `None`: nothing was ever stored, and this process only reads.
    store: Option<Store>,
    settings: SettingsFile,
    tools: OnceLock<Registry>,
    hub: Arc<Hub>,
    engine: Option<Engine>,
    /// Imports one after the other.
    importing: Mutex<()>,
    /// Starts with a client's key one after the other.
    starting: Mutex<()>,
    /// Windows that are told what changes.
    watches: Watches,
    /// What agents cost, counted once a run.
    costs: Costs,
    /// Who has a part in which definition.
    parts: Parts,
    /// What everything said is found by.
    searching: Searching,
    /// Where the run looked at last was folded to.
    moments: Moments,
    /// Where long runs that are looked at as they are now were folded to.
    heads: Heads,
    /// What is sent and heard.
    meter: Arc<Meter>,
    /// Whether the disk is full and everything rests.
    rest: Rest,
    /// Newer versions of the program.
    updates: Updates,
    /// Why there is no database open that could be: for repair only.
    damage: Option<StoreError>,
    /// Work of ours that must end before the store closes.
    tracker: TaskTracker,
}

/// The database, as far as a mode opens it.
///
/// # Errors
/// If it cannot be used.
fn store_of(host: &HostOptions, mode: Mode) -> Result<Option<Store>, ApiError> {
    let damaged = |error: StoreError| recovering::with_backups(&host.home, error);
    match mode {
        Mode::Read => match Store::open_reader(&host.home, Arc::clone(&host.clock)) {
            Ok(store) => Ok(Some(store)),
            Err(StoreError::NoDatabase { .. }) => Ok(None),
            Err(error) => Err(damaged(error)),
        },
        Mode::Drive | Mode::Own => Store::open_owner(&host.home, Arc::clone(&host.clock))
            .map(Some)
            .map_err(damaged),
        Mode::Repair => Ok(None),
    }
}

impl App {
    /// Opens the data folder. An owner then calls [`App::take_over`].
    ///
    /// # Errors
    /// If the settings cannot be read, another process owns the folder, or the database cannot be used.
    pub fn open(host: HostOptions, mode: Mode) -> Result<Self, ApiError> {
        let settings = match mode {
            // A host that stays comes up all the same, and says what is wrong with the file; whoever typed a command is
            // told at once.
            Mode::Own | Mode::Repair => SettingsFile::open_or_last_good(&host.home)?,
            Mode::Read | Mode::Drive => SettingsFile::open(&host.home)?,
        };
        if let Some(place) = settings.current().secrets.place {
            host.secrets.choose(place);
        }
        learn_keys(&host.secrets, &settings.current());
        let store = store_of(&host, mode)?;
        let damage = match mode {
            // Opened once and closed again, only to hear what it says.
            Mode::Repair => damage_of(&host),
            Mode::Read | Mode::Drive | Mode::Own => None,
        };
        let meter = Arc::<Meter>::default();
        let hub = Hub::new(&host.home, settings.clone(), host.secrets.clone());
        let hub = Arc::new(hub.counted_by(meter.traffic().clone()));
        let tools = OnceLock::new();
        let engine = match (&store, mode) {
            (Some(store), Mode::Drive | Mode::Own) => {
                let _ = tools.set(registry()?);
                let registry = tools.get().cloned().unwrap_or_default();
                let egress = egress_of(&settings.current(), meter.traffic())?;
                let outside = (registry, egress);
                Some(engine(&host, store, &settings, outside, &hub))
            }
            _ => None,
        };
        let app = Self {
            inner: Arc::new(Inner {
                host,
                mode,
                store,
                settings,
                tools,
                hub,
                engine,
                importing: Mutex::new(()),
                starting: Mutex::new(()),
                watches: Watches::default(),
                costs: Costs::default(),
                parts: Parts::default(),
                searching: Searching::default(),
                moments: Moments::default(),
                heads: Heads::default(),
                meter,
                rest: Rest::default(),
                updates: Updates::default(),
                damage,
                tracker: TaskTracker::new(),
            }),
        };
        if app.inner.engine.is_some() {
            app.inner.settings.keep_good();
            meter::keep(&app)?;
        }
        Ok(app)
    }

    /// Opens the data folder, or, where its database is damaged, the same for repair: for hosts with somebody in front
    /// of them. The mode of the answer says which.
    ///
    /// # Errors
    /// As [`App::open`], except that damage is none.
    pub fn open_or_repair(host: HostOptions, mode: Mode) -> Result<Self, ApiError> {
        match Self::open(host.clone(), mode) {
            Err(error) if error.code == ErrorCode::StoreDamaged => {
                tracing::error!("opened for repair: {}", error.message);
                Self::open(host, Mode::Repair)
            }
            opened => opened,
        }
    }

    /// Takes over every unfinished run, as an owner does when it starts, and says which now work. Behind a restored
    /// backup they are paused instead: they may have done more since than their journals know, so a person decides.
    ///
    /// # Errors
    /// If the list of runs cannot be read, or a pause cannot be written.
    pub async fn take_over(&self) -> Result<Vec<RunId>, ApiError> {
        let (store, engine) = (self.owner()?, self.engine()?);
        if store.restored_at()?.is_some() {
            for run in store.unfinished_runs()? {
                // A run that cannot be folded is reported by the recovery below and moves no more than this.
                if let Err(error) = quiet::pause(self, run.id, RESTORED).await {
                    tracing::error!(run = %run.id, "left alone: {}", error.message);
                }
            }
            store.settle_restored().await?;
        }
        let resumed = engine.recover()?;
        let version = env!("CARGO_PKG_VERSION");
        tracing::info!(version, runs = resumed.len(), "took the data folder over");
        Ok(resumed)
    }

    /// Makes a backup every hour in which something changed, as long as the folder is open, but none before
    /// `first_after`. For hosts that stay.
    ///
    /// # Errors
    /// If this process only reads.
    pub fn keep_backups(&self, first_after: Duration) -> Result<(), ApiError> {
        care::keep(self, first_after)
    }

    /// Keeps the index for searching with the journal, as long as the folder is open. For hosts that stay.
    ///
    /// # Errors
    /// If this process only reads.
    pub fn keep_search(&self) -> Result<(), ApiError> {
        search::keep(self)
    }

    /// Watches the disk as long as the folder is open: sets room aside, brings everything to rest when there is none, and
    /// lets it go on when there is again. For hosts that stay.
    ///
    /// # Errors
    /// If this process only reads.
    pub fn keep_room(&self) -> Result<(), ApiError> {
        health::keep(self)
    }

    /// Asks once a day for a newer version of the program, as long as the folder is open and the person wants it.
    ///
    /// # Errors
    /// If this process only reads.
    pub fn keep_updates(&self) -> Result<(), ApiError> {
        updates::keep(self)
    }

    /// Everything a host that stays does unasked: backups, the index for searching, room on the disk, newer versions.
    ///
    /// # Errors
    /// If this process only reads.
    pub fn keep_house(&self, first_backup_after: Duration) -> Result<(), ApiError> {
        self.keep_backups(first_backup_after)?;
        self.keep_search()?;
        self.keep_room()?;
        self.keep_updates()
    }

    /// Lets what is in flight settle for two seconds, makes everything durable and gives the folder free.
    ///
    /// # Errors
    /// If the last writes fail.
    pub async fn close(&self) -> Result<(), ApiError> {
        if let Some(engine) = &self.inner.engine {
            engine.shutdown().await;
        }
        self.inner.tracker.close();
        self.inner.tracker.wait().await;
        self.inner.hub.close().await;
        if let Some(store) = &self.inner.store {
            if store.is_owner() {
                match meter::write(self).await {
                    // The day's bytes are not worth more than a proper end.
                    Err(error) if self.is_shut() => {
                        tracing::warn!("the day's bytes are not written: {}", error.message);
                    }
                    written => written?,
                }
            }
            store.close().await?;
        }
        Ok(())
    }

    pub fn home(&self) -> &Path {
        &self.inner.host.home
    }

    /// What this host brings, for another data folder.
    pub(crate) fn host_at(&self, home: &Path) -> HostOptions {
        HostOptions {
            home: home.to_owned(),
            ..self.inner.host.clone()
        }
    }

    pub fn mode(&self) -> Mode {
        self.inner.mode
    }

    /// Runs that are being worked on here.
    pub fn live_runs(&self) -> Vec<RunId> {
        let engine = self.inner.engine.as_ref();
        engine.map(Engine::live_runs).unwrap_or_default()
    }

    /// Changes whenever something was written: a reason to look again.
    ///
    /// # Errors
    /// If this process only reads.
    pub fn changed(&self) -> Result<tokio::sync::watch::Receiver<u64>, ApiError> {
        Ok(self.owner()?.watch()?)
    }

    /// The settings as they are now.
    pub fn settings(&self) -> Arc<Settings> {
        self.inner.settings.current()
    }

    /// Where the settings stand.
    pub fn settings_path(&self) -> &Path {
        self.inner.settings.path()
    }

    pub(crate) fn settings_file(&self) -> &SettingsFile {
        &self.inner.settings
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.host.clock
    }

    pub(crate) fn ids(&self) -> &Arc<dyn IdSource> {
        &self.inner.host.ids
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        &self.inner.host.secrets
    }

    pub(crate) fn is_unattended(&self) -> bool {
        self.inner.host.unattended
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.inner.hub
    }

    pub(crate) fn tracker(&self) -> &TaskTracker {
        &self.inner.tracker
    }

    /// The database, if there is one.
    pub(crate) fn store(&self) -> Result<&Store, ApiError> {
        self.inner.store.as_ref().ok_or_else(|| {
            let none = || StoreError::NoDatabase {
                home: self.home().to_owned(),
            };
            self.damage().cloned().unwrap_or_else(none).into()
        })
    }

    /// Whether nothing is stored for now: the disk is full, or a restore waits.
    fn is_shut(&self) -> bool {
        self.maybe_store()
            .is_some_and(|store| store.is_owner() && store.check_open().is_err())
    }

    pub(crate) fn rest(&self) -> &Rest {
        &self.inner.rest
    }

    /// Where newer versions come from, and what this machine does with them.
    pub fn updates(&self) -> &Updates {
        &self.inner.updates
    }

    /// Why the database could not be opened; only where it was opened for repair.
    pub(crate) fn damage(&self) -> Option<&StoreError> {
        self.inner.damage.as_ref()
    }

    pub(crate) fn maybe_store(&self) -> Option<&Store> {
        self.inner.store.as_ref()
    }

    /// The database, to write.
    pub(crate) fn owner(&self) -> Result<&Store, ApiError> {
        match &self.inner.store {
            Some(store) if store.is_owner() => Ok(store),
            None if self.damage().is_some() => self.store(),
            _ => Err(ApiError::new(
                ErrorCode::Internal,
                "this process reads the data folder and was asked to change it",
            )),
        }
    }

    pub(crate) fn engine(&self) -> Result<&Engine, ApiError> {
        self.inner.engine.as_ref().ok_or_else(|| {
            ApiError::new(
                ErrorCode::Internal,
                "this process reads the data folder and was asked to work",
            )
        })
    }

    /// Whether a run is being worked on in this process.
    pub(crate) fn is_live(&self, run: RunId) -> bool {
        self.engine_of_live(run).is_some()
    }

    pub(crate) fn engine_of_live(&self, run: RunId) -> Option<&Engine> {
        let engine = self.inner.engine.as_ref()?;
        engine.live_runs().contains(&run).then_some(engine)
    }

    /// # Errors
    /// If this process holds the folder for one command only, which ends without waiting for other people's runs.
    pub(crate) fn check_takes_runs(&self, caller: Caller) -> Result<(), ApiError> {
        self.owner()?;
        if self.mode() == Mode::Drive && caller != Caller::LocalCli {
            let message = format!(
                "the data folder {} is in use by another command (process {})",
                self.home().display(),
                std::process::id()
            );
            return Err(ApiError::new(ErrorCode::HomeInUse, message).with_hint(
                "Wait for it to end, or keep `bwana serve --no-gateway` running and start everything through that.",
            ));
        }
        Ok(())
    }

    /// Held while a start with a client's key is looked up and made.
    pub(crate) async fn starting(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.inner.starting.lock().await
    }

    pub(crate) fn watches(&self) -> &Watches {
        &self.inner.watches
    }

    pub(crate) fn costs(&self) -> &Costs {
        &self.inner.costs
    }

    /// What this process sends and hears. Counted for its data folder only if it owns that.
    pub fn traffic(&self) -> &Traffic {
        self.inner.meter.traffic()
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.inner.meter
    }

    pub(crate) fn meter_shared(&self) -> Arc<Meter> {
        Arc::clone(&self.inner.meter)
    }

    pub(crate) fn weak(&self) -> WeakApp {
        WeakApp {
            inner: Arc::downgrade(&self.inner),
        }
    }

    pub(crate) fn searching(&self) -> &Searching {
        &self.inner.searching
    }

    pub(crate) fn heads(&self) -> &Heads {
        &self.inner.heads
    }

    pub(crate) fn moments(&self) -> &Moments {
        &self.inner.moments
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.inner.parts
    }

    /// The last entry of a run that may be told; `None`: all of them, because nobody works on it here.
    pub(crate) fn told(&self, run: RunId) -> Option<Seq> {
        self.inner.engine.as_ref()?.told(run)
    }

    /// Providers that are left alone after failures, or cannot be reached.
    pub(crate) fn troubled_providers(&self) -> Vec<String> {
        let engine = self.inner.engine.as_ref();
        let standings = engine.map(Engine::providers).unwrap_or_default();
        standings
            .into_iter()
            .filter(|standing| standing.left_alone_ms.is_some())
            .map(|standing| standing.provider)
            .collect()
    }

    /// The text of a run's calls on their way.
    pub(crate) fn texts(&self, run: RunId) -> Vec<CallText> {
        let engine = self.inner.engine.as_ref();
        engine
            .map(|engine| engine.partials(run))
            .unwrap_or_default()
            .into_iter()
            .map(CallText::from)
            .collect()
    }

    /// The agents and workflows there are; changed files of the data folder are taken over first.
    pub(crate) async fn book(&self) -> Result<Book, ApiError> {
        let _one = self.inner.importing.lock().await;
        book::open(self.maybe_store(), self.home(), &self.tool_names()).await
    }

    pub(crate) fn tools(&self) -> Result<&Registry, ApiError> {
        if let Some(tools) = self.inner.tools.get() {
            return Ok(tools);
        }
        let tools = registry()?;
        Ok(self.inner.tools.get_or_init(|| tools))
    }

    pub(crate) fn tool_names(&self) -> BTreeSet<String> {
        // A registry that cannot be built is told by the commands that use it.
        let tools = self.tools().ok();
        tools
            .into_iter()
            .flat_map(Registry::specs)
            .map(|spec| spec.name.clone())
            .collect()
    }

    pub(crate) fn egress(&self) -> Result<Egress, ApiError> {
        egress_of(&self.settings(), self.traffic())
    }

    /// The run a person means by an id or its last characters.
    pub(crate) fn find_run(&self, text: &str) -> Result<RunId, ApiError> {
        Ok(self.store()?.find_run(text)?)
    }

    pub(crate) fn find_task(&self, text: &str) -> Result<TaskId, ApiError> {
        Ok(self.store()?.find_task(text)?)
    }

    /// How many runs wait, for those who decide whether there is anything to do.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn unfinished_runs(&self) -> Result<usize, ApiError> {
        let Some(store) = self.maybe_store() else {
            return Ok(0);
        };
        Ok(store
            .runs(&RunFilter {
                status: vec![
                    bwana_types::status::RunStatus::Running,
                    bwana_types::status::RunStatus::Stopping,
                    bwana_types::status::RunStatus::Waiting,
                ],
                hidden: true,
                ..RunFilter::default()
            })?
            .len())
    }
}

/// What is wrong with a database that nobody has open.
fn damage_of(host: &HostOptions) -> Option<StoreError> {
    let looked = Store::open_reader(&host.home, Arc::clone(&host.clock))
        .and_then(|store| store.check_pages());
    match looked {
        Ok(found) => found.map(|what| StoreError::Damaged { what }),
        Err(error) => Some(error).filter(|error| matches!(error, StoreError::Damaged { .. })),
    }
}

/// Keys in the environment are made known before anything is printed, also those of providers that nobody calls: another
/// one may repeat them. Keys kept elsewhere become known when they are read, which may need a person.
fn learn_keys(secrets: &Secrets, settings: &Settings) {
    for key in settings.providers.iter().filter_map(|one| one.key.as_ref()) {
        if let KeyPlace::Env(_) = key.place() {
            // One that is missing is told when it is needed.
            let _ = secrets.get(key);
        }
    }
}

/// The folder of all runs' artifact folders.
pub(crate) fn artifacts_folder(home: &Path) -> PathBuf {
    home.join(ARTIFACTS_DIR)
}

/// The zone whose calendar days count: the settings', else this machine's, else UTC.
pub(crate) fn time_zone(settings: &Settings) -> String {
    let system = || {
        let zone = jiff::tz::TimeZone::system();
        zone.iana_name().map(str::to_owned)
    };
    settings
        .time_zone
        .clone()
        .or_else(system)
        .unwrap_or_else(|| String::from("UTC"))
}

fn registry() -> Result<Registry, ApiError> {
    Registry::new(builtin()).map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))
}

fn egress_of(settings: &Settings, traffic: &Traffic) -> Result<Egress, ApiError> {
    let settings = EgressSettings {
        private_hosts: settings.egress.private_hosts.clone(),
        traffic: traffic.clone(),
        ..EgressSettings::default()
    };
    Egress::new(settings)
        .map_err(|error| ApiError::new(ErrorCode::SettingsInvalid, error.to_string()))
}

fn engine(
    host: &HostOptions,
    store: &Store,
    settings: &SettingsFile,
    (tools, egress): (Registry, Egress),
    hub: &Arc<Hub>,
) -> Engine {
    let models: Arc<dyn bwana_engine::Models> = Arc::<Hub>::clone(hub);
    let limits = settings.clone();
    Engine::new(Deps {
        store: store.clone(),
        clock: Arc::clone(&host.clock),
        ids: Arc::clone(&host.ids),
        tools,
        egress,
        models,
        redactor: host.secrets.redactor().clone(),
        day_money: Arc::new(move || limits.current().budget.day_usd),
        options: Options {
            artifacts: artifacts_folder(&host.home),
            unattended: host.unattended,
            time_zone: time_zone(&settings.current()),
        },
    })
}
