//! `Historian`: a scripted server's history, page by page, honest or not. For tests only.

use std::collections::{BTreeMap, VecDeque};

use fieldgate_model::{Quality, Timestamp, Value};

use crate::{
    connection::{HistoryPage, HistoryRequest, Observed},
    node_id::{Identifier, NodeId},
    status::Status,
};

/// A server's memory of values, and how it tells them.
#[derive(Debug, Default)]
pub(crate) struct Historian {
    /// Of each node, by its numeric id: seconds since 1970, in their order.
    pub values: BTreeMap<u32, Vec<i64>>,
    /// What a node answers instead.
    pub refuses: BTreeMap<u32, &'static str>,
    /// What the next calls answer as a whole.
    pub fails: VecDeque<&'static str>,
    /// Values of a page; 0 is as many as are asked for.
    pub page: usize,
    /// A page that is full says nothing of more, as asyncua's.
    pub is_silent: bool,
    /// Each page is the first one, and says that there is more.
    pub is_endless: bool,
    pub asked: Vec<HistoryRequest>,
    pub released: usize,
}

impl Historian {
    pub(crate) fn answer(
        &mut self,
        request: HistoryRequest,
    ) -> Result<Vec<Result<HistoryPage, Status>>, Status> {
        self.asked.push(request.clone());
        if let Some(why) = self.fails.pop_front() {
            return Err(Status::named(why));
        }
        let page = |(node, mark): &(NodeId, Vec<u8>)| self.page(&request, node, mark);
        Ok(request.nodes.iter().map(page).collect())
    }

    fn page(
        &self,
        request: &HistoryRequest,
        node: &NodeId,
        mark: &[u8],
    ) -> Result<HistoryPage, Status> {
        let Identifier::Numeric(id) = node.identifier else {
            return Err(Status::named("BadNodeIdUnknown"));
        };
        if let Some(why) = self.refuses.get(&id) {
            return Err(Status::named(why));
        }
        let second = |at: Timestamp| at.millis() / 1000;
        let (start, end) = (second(request.start), request.end.map(second));
        let (from, to) = (
            start.min(end.unwrap_or(start)),
            start.max(end.unwrap_or(i64::MAX)),
        );
        let known = self.values.get(&id).into_iter().flatten();
        let mut inside: Vec<i64> = known
            .copied()
            .filter(|at| (from..=to).contains(at))
            .collect();
        if end.is_some_and(|end| end < start) {
            inside.reverse();
        }
        let skipped = mark.first().copied().map_or(0, usize::from);
        let most = match self.page {
            0 => usize::try_from(request.most).unwrap(),
            page => page,
        };
        let told = if self.is_endless { 0 } else { skipped };
        let values: Vec<i64> = inside.iter().copied().skip(told).take(most).collect();
        let more = self.is_endless || (told + values.len() < inside.len() && !self.is_silent);
        Ok(HistoryPage {
            mark: vec![u8::try_from(skipped + values.len()).unwrap(); usize::from(more)],
            values: values.into_iter().map(historic).collect(),
        })
    }
}

/// The value of a second is its number.
pub(crate) fn historic(second: i64) -> Observed {
    Observed {
        value: Value::Int(second),
        quality: Quality::Good,
        at: Some(Timestamp::from_millis(second * 1000)),
        overflow: false,
    }
}
