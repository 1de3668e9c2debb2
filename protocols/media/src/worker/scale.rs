//! Making pictures smaller: each pixel is the mean of those that it stands for.

/// Numbers of one colour of a picture, `step` bytes apart in rows that are `stride` bytes apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plane<'a> {
    pub data: &'a [u8],
    pub stride: usize,
    pub step: usize,
    pub width: usize,
    pub height: usize,
}

/// The largest size of these proportions in `into`, never larger than it is and at least one pixel.
pub(super) fn fitting(size: (usize, usize), into: (usize, usize)) -> (usize, usize) {
    let (width, height) = (size.0.max(1), size.1.max(1));
    let (wide, high) = (into.0.clamp(1, width), into.1.clamp(1, height));
    // Which side bounds: wide / width against high / height, without fractions.
    if wide * height <= high * width {
        (wide, rounded(height * wide, width))
    } else {
        (rounded(width * high, height), high)
    }
}

fn rounded(number: usize, by: usize) -> usize {
    ((number + by / 2) / by).max(1)
}

/// A plane of that size, row by row. Where it is larger than the source, pixels are repeated. Source bytes that are missing are black.
pub(super) fn resized(plane: Plane, (width, height): (usize, usize)) -> Vec<u8> {
    let mut out = Vec::with_capacity(width * height);
    let columns: Vec<(usize, usize)> = (0..width)
        .map(|column| stands_for(column, width, plane.width))
        .collect();
    let mut sums = vec![0u32; width];
    for row in 0..height {
        sums.fill(0);
        let (first, end) = stands_for(row, height, plane.height);
        for line in first..end {
            let start = line * plane.stride;
            let line = plane.data.get(start..).unwrap_or_default();
            add_line(&mut sums, &columns, line, plane.step);
        }
        let rows = u32::try_from(end - first).unwrap_or(u32::MAX);
        for (sum, (left, right)) in sums.iter().zip(&columns) {
            let count = rows.saturating_mul(u32::try_from(right - left).unwrap_or(u32::MAX));
            let mean = (sum + count / 2) / count.max(1);
            out.push(u8::try_from(mean).unwrap_or(u8::MAX));
        }
    }
    out
}

fn add_line(sums: &mut [u32], columns: &[(usize, usize)], line: &[u8], step: usize) {
    for (sum, &(left, right)) in sums.iter_mut().zip(columns) {
        let pixels = if step == 1 {
            line.get(left..right)
        } else {
            line.get(left * step..(right - 1) * step + 1)
        };
        let pixels = pixels.unwrap_or_default();
        *sum += if step == 1 {
            pixels.iter().map(|pixel| u32::from(*pixel)).sum::<u32>()
        } else {
            pixels
                .iter()
                .step_by(step)
                .map(|pixel| u32::from(*pixel))
                .sum()
        };
    }
}

/// The source's pixels from and to, at least one.
fn stands_for(index: usize, of: usize, source: usize) -> (usize, usize) {
    let first = (index * source / of).min(source.saturating_sub(1));
    let end = ((index + 1) * source / of).clamp(first + 1, source.max(first + 1));
    (first, end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn proportions_are_kept_and_nothing_grows() {
        let cases = [
            ((1920, 1080), (640, 640), (640, 360)),
            ((1920, 1080), (4000, 4000), (1920, 1080)),
            ((1080, 1920), (640, 640), (360, 640)),
            ((1000, 3), (100, 100), (100, 1)),
            ((8, 8), (0, 0), (1, 1)),
        ];
        for (size, into, expected) in cases {
            assert_eq!(fitting(size, into), expected, "{size:?} {into:?}");
        }
    }

    #[test]
    fn each_pixel_is_a_mean() {
        let plane = Plane {
            data: &[0, 100, 9, 200, 100, 9, 10, 20, 9, 30, 40, 9],
            stride: 3,
            step: 1,
            width: 2,
            height: 4,
        };
        assert_eq!(resized(plane, (1, 2)), [100, 25]);
        assert_eq!(resized(plane, (2, 1)), [60, 65]);
        let every_third = Plane {
            step: 3,
            width: 4,
            height: 1,
            ..plane
        };
        assert_eq!(resized(every_third, (2, 1)), [100, 20]);
    }

    proptest! {
        #[test]
        fn any_sizes_come_out_as_asked(
            data in proptest::collection::vec(any::<u8>(), 0..300),
            (stride, step, width, height) in (0usize..20, 1usize..4, 1usize..20, 1usize..20),
            into in (1usize..20, 1usize..20),
        ) {
            let plane = Plane { data: &data, stride, step, width, height };
            prop_assert_eq!(resized(plane, into).len(), into.0 * into.1);
            let (wide, high) = fitting((width, height), into);
            prop_assert!((1..=into.0.min(width)).contains(&wide) && (1..=into.1.min(height)).contains(&high));
        }
    }
}
