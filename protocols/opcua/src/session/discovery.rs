//! The discovery services (OPC UA Part 4, 5.5): questions over a channel of their own, that sign in nowhere.

use std::{collections::HashSet, time::Duration};

use opcua::{
    client::{
        AsyncSecureChannel, SessionBuilder,
        transport::{SecureChannelEventLoop, TransportPollResult},
    },
    core::{RequestMessage, ResponseMessage},
    types::{
        ApplicationDescription, ApplicationType, DateTime, EndpointDescription, Error,
        FindServersOnNetworkRequest, FindServersRequest, NodeId, RequestHeader, ServerOnNetwork,
    },
};
use tokio::{net::TcpStream, time::timeout};

use super::{
    Dialled, REQUEST_TIMEOUT, Server, Wire, ask, config, read_endpoints, status, store, within,
};
use crate::{security::Endpoint, status::Status};

/// Servers of a list that are looked at; a plant's discovery server knows some dozens.
const MOST_LISTED: usize = 64;
/// How long a server may take to say which others it knows.
const LIST_TIMEOUT: Duration = Duration::from_secs(2);
/// Addresses of one server that are looked at.
const MOST_ADDRESSES: usize = 8;
/// The longest discovery URL, and the longest name, that is kept.
const MOST_URL_BYTES: usize = 512;
const MOST_CHARACTERS: usize = 255;

/// What a server tells of itself and of others.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub endpoints: Vec<Endpoint>,
    pub listed: Vec<Listed>,
}

/// A server that a server knows of: itself, or another one that registered there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    pub server: Server,
    /// Its discovery URLs, as far as they are spoken here.
    pub urls: Vec<String>,
    /// It only knows others (Part 4, 7.4, DISCOVERYSERVER).
    pub only_lists: bool,
}

/// What the server offers (GetEndpoints, OPC UA Part 4, 5.5.4).
pub(crate) async fn endpoints(stream: TcpStream, url: &str) -> Result<Vec<Endpoint>, Status> {
    let mut talk = Talk::open(stream, url).await?;
    let endpoints = talk.endpoints().await;
    talk.close().await;
    endpoints
}

/// What the server offers, and which servers it knows (FindServers, 5.5.2, and FindServersOnNetwork, 5.5.3). Who knows no
/// others, or does not tell, is no failure.
pub(crate) async fn servers(stream: TcpStream, url: &str) -> Result<Asked, Status> {
    let mut talk = Talk::open(stream, url).await?;
    let endpoints = talk.endpoints().await;
    let listed = match &endpoints {
        Ok(_) => talk.listed().await,
        Err(_) => Vec::new(),
    };
    talk.close().await;
    Ok(Asked {
        endpoints: endpoints?,
        listed,
    })
}

/// A channel without a session.
struct Talk<'a> {
    url: &'a str,
    channel: AsyncSecureChannel,
    transport: SecureChannelEventLoop<Wire>,
}

// === impl Talk ===

impl<'a> Talk<'a> {
    async fn open(stream: TcpStream, url: &'a str) -> Result<Self, Status> {
        let config = config("urn:fieldgate:opcua");
        let channel = SessionBuilder::new(&config)
            .connect_to_endpoint_directly(EndpointDescription::from(url))
            .and_then(|builder| builder.build_channel(store::bare()))
            .map_err(|error| status(&error))?;
        let connector = Dialled::new(stream, url);
        let transport = within(channel.connect_no_retry(&connector)).await?;
        Ok(Self {
            url,
            channel,
            transport,
        })
    }

    async fn ask(
        &mut self,
        request: impl Into<RequestMessage>,
        patience: Duration,
    ) -> Result<ResponseMessage, Status> {
        let Self {
            channel, transport, ..
        } = self;
        within(async {
            let answer = channel.send(request, patience);
            tokio::pin!(answer);
            loop {
                tokio::select! {
                    answer = &mut answer => return answer,
                    polled = transport.poll() => if let TransportPollResult::Closed(code) = polled {
                        return Err(Error::new(code, "closed"));
                    }
                }
            }
        })
        .await
    }

    async fn endpoints(&mut self) -> Result<Vec<Endpoint>, Status> {
        match self.ask(ask(self.url), REQUEST_TIMEOUT).await? {
            ResponseMessage::GetEndpoints(answer) => Ok(read_endpoints(answer.endpoints)),
            _ => Err(Status::named("BadUnknownResponse")),
        }
    }

    async fn listed(&mut self) -> Vec<Listed> {
        let mut listed = self.registered().await;
        let known: HashSet<String> = listed.iter().flat_map(|one| one.urls.clone()).collect();
        let heard = self.heard().await.into_iter();
        listed.extend(heard.filter(|one| one.urls.iter().all(|url| !known.contains(url))));
        listed.truncate(MOST_LISTED);
        listed
    }

    /// The servers that registered themselves, and the one that is asked.
    async fn registered(&mut self) -> Vec<Listed> {
        let request = FindServersRequest {
            request_header: header(),
            endpoint_url: self.url.into(),
            locale_ids: None,
            server_uris: None,
        };
        match self.ask(request, LIST_TIMEOUT).await {
            Ok(ResponseMessage::FindServers(answer)) => {
                let servers = answer.servers.unwrap_or_default().into_iter();
                servers.take(MOST_LISTED).filter_map(listed).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The servers that a Local Discovery Server hears in its network.
    async fn heard(&mut self) -> Vec<Listed> {
        let request = FindServersOnNetworkRequest {
            request_header: header(),
            starting_record_id: 0,
            max_records_to_return: u32::try_from(MOST_LISTED).unwrap_or(u32::MAX),
            server_capability_filter: None,
        };
        match self.ask(request, LIST_TIMEOUT).await {
            Ok(ResponseMessage::FindServersOnNetwork(answer)) => {
                let servers = answer.servers.unwrap_or_default().into_iter();
                servers.take(MOST_LISTED).filter_map(heard).collect()
            }
            _ => Vec::new(),
        }
    }

    async fn close(mut self) {
        self.channel.close_channel().await;
        let _sent = timeout(Duration::from_millis(100), self.transport.poll()).await;
    }
}

fn header() -> RequestHeader {
    RequestHeader::new(&NodeId::null(), &DateTime::now(), 1)
}

/// None for what is no server.
fn listed(application: ApplicationDescription) -> Option<Listed> {
    if application.application_type == ApplicationType::Client {
        return None;
    }
    let urls = application.discovery_urls.iter().flatten();
    Some(Listed {
        server: server(&application),
        urls: spoken(urls.map(ToString::to_string)),
        only_lists: application.application_type == ApplicationType::DiscoveryServer,
    })
}

fn heard(server: ServerOnNetwork) -> Option<Listed> {
    let urls = spoken(std::iter::once(server.discovery_url.to_string()));
    let capabilities = server.server_capabilities.unwrap_or_default();
    (!urls.is_empty()).then(|| Listed {
        server: Server {
            name: short(server.server_name.as_ref()),
            ..Server::default()
        },
        urls,
        // Part 12, Annex D.
        only_lists: capabilities.iter().any(|one| one.as_ref() == "LDS"),
    })
}

fn spoken(urls: impl Iterator<Item = String>) -> Vec<String> {
    let spoken = urls.filter(|url| url.starts_with("opc.tcp:") && url.len() <= MOST_URL_BYTES);
    spoken.take(MOST_ADDRESSES).collect()
}

pub(super) fn server(application: &ApplicationDescription) -> Server {
    Server {
        name: short(application.application_name.text.as_ref()),
        uri: short(application.application_uri.as_ref()),
        product: short(application.product_uri.as_ref()),
    }
}

/// What anybody can say of himself is kept as far as people read it.
fn short(text: &str) -> String {
    text.chars().take(MOST_CHARACTERS).collect()
}
