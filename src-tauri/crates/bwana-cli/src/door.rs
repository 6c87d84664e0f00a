//! How a command reaches the data folder: in this process, or at the process that owns it.

use bwana_api::socket::Client;
use bwana_api::{App, Caller, Command, Ctx, Events, HostOptions, Mode};
use bwana_types::error::{ApiError, ErrorCode};

pub(crate) enum Door {
    Here(App),
    Owner(Client),
}

impl Door {
    /// To look: beside an owner, and without one.
    pub(crate) fn reader(host: &HostOptions) -> Result<Self, ApiError> {
        App::open(host.clone(), Mode::Read).map(Self::Here)
    }

    /// To change something: takes the lock, or asks who holds it.
    ///
    /// # Errors
    /// If somebody holds the folder and does not answer, or the folder cannot be used.
    pub(crate) async fn owner(host: &HostOptions) -> Result<Self, ApiError> {
        match App::open(host.clone(), Mode::Drive) {
            Ok(app) => Ok(Self::Here(app)),
            Err(error) if error.code == ErrorCode::HomeInUse => {
                match Client::connect(&host.home).await? {
                    Some(client) => Ok(Self::Owner(client)),
                    None => Err(error),
                }
            }
            Err(error) => Err(error),
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
