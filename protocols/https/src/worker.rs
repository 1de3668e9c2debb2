//! `Worker`: one shard. Its devices' readings leave in their order, one request at a time.
//!
//! When the server asks for less, everything that waits in the shard is postponed with what was refused, until the forwarder
//! knows of it: otherwise what waited would overtake what comes again.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use fieldgate_kit::{ClipPart, Receipt, Refusal, Rejected, Sequenced, SinkError, Throttle};
use tokio::sync::{
    mpsc::{self, Receiver, Sender},
    oneshot,
};

use crate::{
    client::{Call, Client},
    encoder::{Encoder, Load, Parcel},
    settings::Parts,
    verdict::{self, Item, Items, Verdict},
};

/// The way into a shard.
pub(crate) struct Shard {
    jobs: Sender<Job>,
    held: Arc<AtomicUsize>,
}

/// Readings of a batch, and who waits for what becomes of them.
pub(crate) struct Job {
    readings: Vec<Sequenced>,
    reply: oneshot::Sender<Outcome>,
}

/// What became of a job.
pub(crate) struct Outcome {
    pub receipt: Result<Receipt, SinkError>,
    /// While it lives, nothing of the shard is sent.
    _hold: Option<Hold>,
}

pub(crate) struct Worker {
    client: Client,
    encoder: Arc<Encoder>,
    jobs: Receiver<Job>,
    held: Arc<AtomicUsize>,
    /// A body that was refused as too large teaches the size of the next ones.
    most_bytes: usize,
    /// Why nothing more goes over this link.
    stopped: Option<SinkError>,
}

/// Something of the shard was postponed, and the forwarder does not know yet.
struct Hold(Arc<AtomicUsize>);

/// A job under way.
struct Delivery<'a> {
    readings: &'a [Sequenced],
    receipt: Receipt,
}

// === impl Shard ===

impl Shard {
    /// A shard with room for so many jobs.
    pub fn new(room: usize) -> (Self, Receiver<Job>) {
        let (jobs, receiver) = mpsc::channel(room);
        let held = Arc::default();
        (Self { jobs, held }, receiver)
    }

    /// Queues a job; its outcome.
    pub fn hand_in(
        &self,
        readings: Vec<Sequenced>,
    ) -> Result<oneshot::Receiver<Outcome>, SinkError> {
        let (reply, outcome) = oneshot::channel();
        let job = Job { readings, reply };
        self.jobs.try_send(job).map_err(|_| {
            SinkError::Unreachable("the link to the server takes nothing more".to_owned())
        })?;
        Ok(outcome)
    }
}

// === impl Hold ===

impl Hold {
    fn new(held: &Arc<AtomicUsize>) -> Self {
        held.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(held))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

// === impl Worker ===

impl Worker {
    pub fn new(client: Client, encoder: Arc<Encoder>, jobs: Receiver<Job>, shard: &Shard) -> Self {
        Self {
            client,
            most_bytes: encoder.settings.batch_bytes(),
            encoder,
            jobs,
            held: shard.held.clone(),
            stopped: None,
        }
    }

    /// Until the sink is dropped.
    pub async fn run(mut self) {
        loop {
            let job = tokio::select! {
                biased;
                job = self.jobs.recv() => job,
                () = self.client.idle() => continue,
            };
            let Some(job) = job else {
                return;
            };
            let outcome = self.outcome(&job.readings).await;
            // Nobody waits any more: the batch was given up, and is sent again.
            let _ = job.reply.send(outcome);
        }
    }

    async fn outcome(&mut self, readings: &[Sequenced]) -> Outcome {
        if let Some(error) = &self.stopped {
            return Outcome {
                receipt: Err(error.clone()),
                _hold: None,
            };
        }
        if self.held.load(Ordering::SeqCst) > 0 {
            let receipt = Receipt {
                postponed: readings.iter().map(|sequenced| sequenced.seq).collect(),
                ..Receipt::default()
            };
            return Outcome {
                receipt: Ok(receipt),
                _hold: Some(Hold::new(&self.held)),
            };
        }
        let mut delivery = Delivery {
            readings,
            receipt: Receipt::default(),
        };
        let receipt = match self.deliver(&mut delivery).await {
            Ok(()) => Ok(delivery.receipt),
            Err(error) => {
                self.stopped = Some(error.clone());
                Err(error)
            }
        };
        let holds = receipt
            .as_ref()
            .is_ok_and(|receipt| !receipt.postponed.is_empty());
        Outcome {
            receipt,
            _hold: holds.then(|| Hold::new(&self.held)),
        }
    }

    async fn deliver(&mut self, delivery: &mut Delivery<'_>) -> Result<(), SinkError> {
        let encoder = self.encoder.clone();
        for load in encoder.loads(delivery.readings) {
            let later = match load {
                Load::Readings(run) => self.readings(&encoder, run, &mut delivery.receipt).await?,
                Load::Picture(sequenced, data) => {
                    let call = encoder.picture(sequenced, data);
                    let judged = self.file(&call, verdict::judge);
                    delivery.file(sequenced.seq, judged.await?)
                }
                Load::Part(sequenced, part) => {
                    let judged = self.part(&encoder, sequenced, &part).await?;
                    delivery.file(sequenced.seq, judged)
                }
            };
            if let Some((from, throttle)) = later {
                delivery.postpone(from, throttle);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Sends a run of readings; from which one on they have to wait, if the server says so.
    async fn readings(
        &mut self,
        encoder: &Encoder,
        run: &[Sequenced],
        receipt: &mut Receipt,
    ) -> Result<Option<(u64, Throttle)>, SinkError> {
        let mut parcels: VecDeque<Parcel> = encoder.parcels(run, self.most_bytes).into();
        while let Some(parcel) = parcels.pop_front() {
            let url = encoder.url(&parcel.call);
            match verdict::judge(&self.client.send(&parcel.call).await?, &url) {
                Verdict::Taken => {}
                Verdict::Partly(items) => encoder.sort_out(run, &parcel.seqs, items, receipt),
                Verdict::Later(throttle) => {
                    // What the parcels behind hold can have come earlier than what this one does.
                    let rest = parcels.iter().flat_map(|parcel| &parcel.seqs);
                    receipt.postponed.extend(rest);
                    receipt.postponed.extend(&parcel.seqs);
                    let after = run.last().map_or(0, |last| last.seq + 1);
                    return Ok(Some((after, throttle)));
                }
                Verdict::TooLarge(why) => match parcel.seqs[..] {
                    [seq] => receipt.rejected.push(rejected(seq, why, Refusal::Final)),
                    _ => {
                        self.most_bytes = self.most_bytes.min(parcel.bytes / 2).max(1);
                        let halves = encoder.halves(run, &parcel.seqs, self.most_bytes);
                        halves
                            .into_iter()
                            .rev()
                            .for_each(|half| parcels.push_front(half));
                    }
                },
                Verdict::Refused(why) => {
                    let refusal = match parcel.seqs.len() {
                        1 => Refusal::MayPass,
                        _ => Refusal::OneOfThese,
                    };
                    let seqs = parcel.seqs.iter();
                    let all = seqs.map(|seq| rejected(*seq, why.clone(), refusal));
                    receipt.rejected.extend(all);
                }
                Verdict::Stop(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn file(
        &mut self,
        call: &Call,
        judge: impl Fn(&verdict::Answer, &str) -> Verdict,
    ) -> Result<Verdict, SinkError> {
        let url = self.encoder.url(call);
        let verdict = judge(&self.client.send(call).await?, &url);
        match verdict {
            Verdict::Stop(error) => Err(error),
            verdict => Ok(verdict),
        }
    }

    /// A part of a clip; with the last one of those that are objects, what they come to.
    async fn part(
        &mut self,
        encoder: &Encoder,
        sequenced: &Sequenced,
        part: &ClipPart,
    ) -> Result<Verdict, SinkError> {
        let call = encoder.part(sequenced, part);
        let ranges = encoder.settings.parts == Parts::Ranges;
        let taken = match ranges && !part.is_last() {
            true => {
                let judge = |answer: &_, url: &str| verdict::judge_range(answer, url, part.end());
                self.file(&call, judge).await?
            }
            false => self.file(&call, verdict::judge).await?,
        };
        if ranges || !part.is_last() || taken != Verdict::Taken {
            return Ok(taken);
        }
        self.file(&encoder.manifest(sequenced, part), verdict::judge)
            .await
    }
}

// === impl Delivery ===

impl Delivery<'_> {
    /// What became of a file; from where on everything waits, if the server says so.
    fn file(&mut self, seq: u64, verdict: Verdict) -> Option<(u64, Throttle)> {
        let (why, refusal) = match verdict {
            Verdict::Later(throttle) => return Some((seq, throttle)),
            Verdict::TooLarge(why) => (why, Refusal::Final),
            Verdict::Refused(why) => (why, Refusal::MayPass),
            // What stops the link was returned before, and a file is all or nothing: that it was not taken is said by a status.
            Verdict::Taken | Verdict::Partly(_) | Verdict::Stop(_) => return None,
        };
        self.receipt.rejected.push(rejected(seq, why, refusal));
        None
    }

    fn postpone(&mut self, from: u64, throttle: Throttle) {
        let rest = self.readings.iter().map(|sequenced| sequenced.seq);
        self.receipt
            .postponed
            .extend(rest.filter(|seq| *seq >= from));
        self.receipt.throttled = Some(throttle);
    }
}

impl Encoder {
    /// What a partial answer means for the readings of a request. One that names others is passed over for those.
    fn sort_out(&self, run: &[Sequenced], seqs: &[u64], items: Items, receipt: &mut Receipt) {
        let inside = run.iter().filter(|there| seqs.contains(&there.seq));
        let ids = inside.map(|there| (self.book.message_id(there.origin), there.seq));
        let ids: HashMap<String, u64> = ids.collect();
        for Item { id, why } in items.rejected {
            if let Some(seq) = ids.get(&id) {
                let no = rejected(*seq, why, Refusal::MayPass);
                receipt.rejected.push(no);
            }
        }
        let again: Vec<u64> = items
            .retry
            .iter()
            .filter_map(|id| ids.get(id).copied())
            .collect();
        if !again.is_empty() {
            receipt.throttled = Some(Throttle {
                retry_after: items.retry_after,
                why: format!(
                    "the server took a request but for {} of its readings",
                    again.len()
                ),
            });
        }
        receipt.postponed.extend(again);
    }
}

fn rejected(seq: u64, why: String, refusal: Refusal) -> Rejected {
    Rejected { seq, why, refusal }
}
