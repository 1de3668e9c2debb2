//! `Zone`: a part of the picture, in parts of its width and height.

/// Corners of a polygon.
const MOST_CORNERS: usize = 64;

/// Where motion is looked for: 0 is left and top, 1 is right and bottom.
#[derive(Debug, Clone, PartialEq)]
pub enum Zone {
    Rectangle {
        left: f32,
        top: f32,
        right: f32,
        bottom: f32,
    },
    /// Corners in turn; the last is joined with the first.
    Polygon(Vec<(f32, f32)>),
}

// === impl Zone ===

impl Zone {
    /// The whole picture.
    #[must_use]
    pub fn whole() -> Self {
        Self::Rectangle {
            left: 0.0,
            top: 0.0,
            right: 1.0,
            bottom: 1.0,
        }
    }

    /// Whether it is a zone.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let within = |part: f32| (0.0..=1.0).contains(&part);
        match self {
            Self::Rectangle {
                left,
                top,
                right,
                bottom,
            } => {
                [left, top, right, bottom]
                    .into_iter()
                    .all(|part| within(*part))
                    && left < right
                    && top < bottom
            }
            Self::Polygon(corners) => {
                (3..=MOST_CORNERS).contains(&corners.len())
                    && corners.iter().all(|(x, y)| within(*x) && within(*y))
            }
        }
    }

    /// The pixels whose middle is in it, of a picture of this size; the nearest to its own middle where there is none.
    pub(super) fn pixels(&self, (width, height): (u16, u16)) -> Vec<usize> {
        let middle = |index: u16, of: u16| (f32::from(index) + 0.5) / f32::from(of);
        let place = |x: u16, y: u16| usize::from(y) * usize::from(width) + usize::from(x);
        let mut pixels = Vec::new();
        for y in 0..height {
            for x in 0..width {
                if self.holds(middle(x, width), middle(y, height)) {
                    pixels.push(place(x, y));
                }
            }
        }
        if pixels.is_empty() && width > 0 && height > 0 {
            let (x, y) = self.middle();
            let nearest = |part: f32, of: u16| ((part * f32::from(of)) as u16).min(of - 1);
            pixels.push(place(nearest(x, width), nearest(y, height)));
        }
        pixels
    }

    fn holds(&self, x: f32, y: f32) -> bool {
        match self {
            Self::Rectangle {
                left,
                top,
                right,
                bottom,
            } => (left..right).contains(&&x) && (top..bottom).contains(&&y),
            Self::Polygon(corners) => {
                // A line to the right crosses the edge an odd number of times.
                let next = corners.iter().cycle().skip(1);
                let crossed = corners.iter().zip(next).filter(|(from, to)| {
                    (from.1 > y) != (to.1 > y)
                        && x < (to.0 - from.0) * (y - from.1) / (to.1 - from.1) + from.0
                });
                crossed.count() % 2 == 1
            }
        }
    }

    fn middle(&self) -> (f32, f32) {
        match self {
            Self::Rectangle {
                left,
                top,
                right,
                bottom,
            } => ((left + right) / 2.0, (top + bottom) / 2.0),
            Self::Polygon(corners) => {
                let count = corners.len().max(1) as f32;
                let (x, y) = corners
                    .iter()
                    .fold((0.0, 0.0), |(x, y), corner| (x + corner.0, y + corner.1));
                (x / count, y / count)
            }
        }
    }
}
