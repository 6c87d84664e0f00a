//! How a command reaches the data folder: in this process, or at the process that owns it.

use std::time::{Duration, Instant};

use bwana_api::socket::Client;
use bwana_api::{App, Caller, Command, Ctx, Events, HostOptions, Mode};
use bwana_types::error::{ApiError, ErrorCode};

/// How long a command waits for a data folder whose holder does not talk: another command that is about to end, or an
/// owner that is about to listen.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(2);
const LOCK_LOOK_AGAIN: Duration = Duration::from_millis(25);

/// Opens a data folder as its owner.
///
/// # Errors
/// If somebody else is its owner, at once; if a passing command holds it too long; or if it cannot be used.
pub(crate) async fn open_owned(host: &HostOptions, mode: Mode) -> Result<App, ApiError> {
    let deadline = Instant::now() + LOCK_WAIT_MAX;
    loop {
        match App::open(host.clone(), mode) {
            Err(error) if error.code == ErrorCode::HomeInUse => {
                let answers = Client::connect(&host.home)
                    .await
                    .is_ok_and(|owner| owner.is_some());
                if answers || Instant::now() >= deadline {
                    return Err(error);
                }
            }
            other => return other,
        }
        tokio::time::sleep(LOCK_LOOK_AGAIN).await;
    }
}

pub(crate) enum Door {
    Here(App),
    Owner(Client),
}

impl Door {
    /// To look: beside an owner, and without one.
    pub(crate) fn reader(host: &HostOptions) -> Result<Self, ApiError> {
        App::open(host.clone(), Mode::Read).map(Self::Here)
    }

    /// To change something: takes the lock, or talks to whoever holds it.
    ///
    /// # Errors
    /// If somebody holds the folder and does not answer, or the folder cannot be used.
    pub(crate) async fn owner(host: &HostOptions) -> Result<Self, ApiError> {
        let deadline = Instant::now() + LOCK_WAIT_MAX;
        loop {
            let in_use = match App::open(host.clone(), Mode::Drive) {
                Ok(app) => return Ok(Self::Here(app)),
                Err(error) if error.code == ErrorCode::HomeInUse => error,
                Err(error) => return Err(error),
            };
            let late = Instant::now() >= deadline;
            match Client::connect(&host.home).await {
                Ok(Some(client)) => return Ok(Self::Owner(client)),
                // One that ends just now breaks off what it began to say.
                Err(error) if late || error.code != ErrorCode::OwnerUnreachable => {
                    return Err(error);
                }
                Ok(None) if late => return Err(in_use),
                Ok(None) | Err(_) => {}
            }
            tokio::time::sleep(LOCK_LOOK_AGAIN).await;
        }
    }

    pub(crate) async fn call<C: Command>(
        &self,
        request: C::Request,
    ) -> Result<C::Response, ApiError> {
        self.call_telling::<C>(request, Events::none()).await
    }

    pub(crate) async fn call_telling<C: Command>(
        &self,
        request: C::Request,
        events: Events,
    ) -> Result<C::Response, ApiError> {
        match self {
            Self::Here(app) => {
                app.call::<C>(
                    Ctx {
                        caller: Caller::LocalCli,
                        events,
                    },
                    request,
                )
                .await
            }
            Self::Owner(client) => client.call::<C>(&request, &events).await,
        }
    }

    /// Makes everything durable and gives the folder free.
    pub(crate) async fn close(&self) -> Result<(), ApiError> {
        match self {
            Self::Here(app) => app.close().await,
            Self::Owner(_) => Ok(()),
        }
    }
}

/// Opens a door, calls one command, closes the door.
pub(crate) async fn once<C: Command>(
    host: &HostOptions,
    request: C::Request,
) -> Result<C::Response, ApiError> {
    let door = match C::NEEDS {
        bwana_api::Needs::Reader => Door::reader(host)?,
        bwana_api::Needs::Owner | bwana_api::Needs::Runs => Door::owner(host).await?,
    };
    let answer = door.call::<C>(request).await;
    let closed = door.close().await;
    let answer = answer?;
    closed?;
    Ok(answer)
}

/// The same for what is best known where runs are worked on: asked there if somebody works, else read here.
///
/// # Errors
/// Those of the command.
pub(crate) async fn once_where_work_is<C: Command>(
    host: &HostOptions,
    request: C::Request,
) -> Result<C::Response, ApiError> {
    let door = match Client::connect(&host.home).await {
        Ok(Some(owner)) => Door::Owner(owner),
        // An owner of another version, or one that does not answer, is no reason to show nothing.
        Ok(None) | Err(_) => Door::reader(host)?,
    };
    let answer = door.call::<C>(request).await;
    door.close().await?;
    answer
}
