//! Text in a buffer of fixed size. A line that doesn't fit whole isn't there, nor any after it.

/// Room that is kept for the last lines: `truncated`, and `end` with a number.
pub const TAIL: usize = 40;

/// A text that grows line by line.
pub struct Text<'a> {
    buffer: &'a mut [u8],
    at: usize,
    /// Up to here lines are whole.
    whole: usize,
    limit: usize,
    full: bool,
}

impl<'a> Text<'a> {
    /// An empty text.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        let limit = buffer.len().saturating_sub(TAIL);
        Self { buffer, at: 0, whole: 0, limit, full: false }
    }

    /// Bytes of whole lines.
    pub fn length(&self) -> usize {
        self.whole
    }

    /// Adds words.
    pub fn add(&mut self, words: &str) {
        self.bytes(words.as_bytes());
    }

    fn bytes(&mut self, words: &[u8]) {
        let room = self.buffer.get_mut(self.at..self.limit);
        let room = room.filter(|_| !self.full).and_then(|room| room.get_mut(..words.len()));
        let Some(room) = room else {
            self.full = true;
            return;
        };
        // Words are short: a loop is cheaper than a call.
        for (to, from) in room.iter_mut().zip(words) {
            *to = *from;
        }
        self.at = self.at.wrapping_add(words.len());
    }

    /// Adds a word and a number, in decimal.
    pub fn count(&mut self, word: &str, number: u64) {
        self.add(word);
        self.digits(number, false);
    }

    /// Adds a word and a number, in hexadecimal after 0x.
    pub fn hex(&mut self, word: &str, number: u64) {
        self.add(word);
        self.add("0x");
        self.digits(number, true);
    }

    fn digits(&mut self, mut number: u64, hex: bool) {
        let mut room = [0; 20];
        let mut first = room.len();
        for (place, digit) in room.iter_mut().enumerate().rev() {
            let (rest, low) = if hex { (number >> 4, number & 15) } else { (number / 10, number % 10) };
            *digit = if low > 9 { b'a' - 10 } else { b'0' }.wrapping_add(low as u8);
            (number, first) = (rest, place);
            if number == 0 {
                break;
            }
        }
        self.bytes(room.get(first..).unwrap_or(&[]));
    }

    /// Ends a line.
    pub fn end_line(&mut self) {
        self.add("\n");
        if self.full {
            self.at = self.whole;
        }
        self.whole = self.at;
    }

    /// The last lines may use what was kept for them. Says if lines are missing. Returns the length so far.
    pub fn finish(&mut self) -> usize {
        self.limit = self.buffer.len();
        if core::mem::take(&mut self.full) {
            self.add("truncated");
            self.end_line();
        }
        self.whole
    }
}
