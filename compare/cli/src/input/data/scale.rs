//! Scales of pixels that are stored as numbers.

/// Largest distance from a whole number of a scaled pixel in single precision.
const TOLERANCE: f64 = 1e-3;

/// The scale of the pixels of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// Whole numbers from 0 to 255.
    Whole,
    /// Multiples of 1/255 from 0 to 1.
    Unit,
    /// Multiples of 1/256 from 0 to 255/256.
    Dyadic,
}

impl Scale {
    const ALL: [Self; 3] = [Self::Unit, Self::Dyadic, Self::Whole];

    /// Returns the grey level of a pixel; `None` if the pixel is not on this scale.
    pub(super) fn grey_level(self, pixel: f64) -> Option<u8> {
        let scaled = match self {
            Self::Whole => pixel,
            Self::Unit => pixel * 255.0,
            Self::Dyadic => pixel * 256.0,
        };
        let level = scaled.round();
        ((0.0..=255.0).contains(&level) && (scaled - level).abs() <= TOLERANCE).then_some(level as u8)
    }
}

/// Determines the scale of pixels from all of them.
pub(super) struct ScaleSearch {
    possible: [bool; 3],
    lowest: f64,
    highest: f64,
}

impl ScaleSearch {
    pub(super) fn new() -> Self {
        Self { possible: [true; 3], lowest: f64::INFINITY, highest: f64::NEG_INFINITY }
    }

    /// Excludes the scales that do not contain the pixel.
    pub(super) fn add(&mut self, pixel: f64) {
        for (possible, scale) in self.possible.iter_mut().zip(Scale::ALL) {
            *possible = *possible && scale.grey_level(pixel).is_some();
        }
        self.lowest = self.lowest.min(pixel);
        self.highest = self.highest.max(pixel);
    }

    /// Returns the scale that contains all pixels.
    ///
    /// # Errors
    ///
    /// A message with the range of the pixels if there is none.
    pub(super) fn finish(self) -> Result<Scale, String> {
        let Self { possible, lowest, highest } = self;
        let found = possible.into_iter().zip(Scale::ALL).find(|(possible, _)| *possible);
        found.map(|(_, scale)| scale).ok_or_else(|| {
            let form = if lowest < 0.0 { "normalized, or not grey levels" } else { "not whole grey levels" };
            format!(
                "its pixels, from {lowest} to {highest}, are {form}; expected whole numbers from 0 to 255, or those divided by \
                 255: save the pixels before they are changed, as numpy.uint8"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(pixels: impl IntoIterator<Item = f64>) -> Result<Scale, String> {
        let mut search = ScaleSearch::new();
        pixels.into_iter().for_each(|pixel| search.add(pixel));
        search.finish()
    }

    #[test]
    fn scale_search_recovers_every_grey_level() {
        for (divisor, expected) in [(255.0, Scale::Unit), (256.0, Scale::Dyadic), (1.0, Scale::Whole)] {
            let pixels = || (0..=255_u8).map(|level| f64::from((f64::from(level) / divisor) as f32));
            assert_eq!(scale(pixels()), Ok(expected));
            assert!(pixels().map(|pixel| expected.grey_level(pixel)).eq((0..=255).map(Some)));
        }
        assert_eq!(scale([0.0, 1.0]), Ok(Scale::Unit));
    }

    #[test]
    fn scale_search_rejects_other_pixels() {
        for (pixels, reason) in [
            ([-0.4242, 2.8215], "its pixels, from -0.4242 to 2.8215, are normalized"),
            ([0.0, 0.3333], "not whole grey levels"),
            ([0.0, 256.0], "from 0 to 256"),
            ([0.0, f64::NAN], "expected whole numbers"),
        ] {
            let message = scale(pixels).unwrap_err();
            assert!(message.contains(reason), "{message}");
        }
    }
}
