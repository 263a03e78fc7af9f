//! A terminal in memory, as far as the demo uses one: colours, the cursor up and down, lines that
//! are written over.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use indicatif::TermLike;

/// A character and the number of its colour, 0 where it has none.
pub type Cell = (char, u8);

/// The terminal. Clones share it.
#[derive(Clone, Debug)]
pub struct Terminal(Arc<Mutex<Screen>>);

#[derive(Debug)]
struct Screen {
    width: usize,
    rows: Vec<Vec<Cell>>,
    row: usize,
    column: usize,
    colour: u8,
    /// What has come of an escape sequence.
    escape: Option<String>,
}

impl Terminal {
    /// An empty one; it never scrolls.
    pub fn new(width: usize) -> Terminal {
        Terminal(Arc::new(Mutex::new(Screen {
            width,
            rows: vec![Vec::new()],
            row: 0,
            column: 0,
            colour: 0,
            escape: None,
        })))
    }

    /// What is seen; blanks at the ends of lines are not.
    pub fn rows(&self) -> Vec<Vec<Cell>> {
        let mut rows = self.0.lock().unwrap().rows.clone();
        for row in &mut rows {
            while row.last().is_some_and(|(c, _)| *c == ' ') {
                row.pop();
            }
        }
        while rows.last().is_some_and(Vec::is_empty) {
            rows.pop();
        }
        rows
    }

    /// The same without colours.
    pub fn lines(&self) -> Vec<String> {
        let rows = self.rows();
        let line = |row: &Vec<Cell>| row.iter().map(|(c, _)| *c).collect();
        rows.iter().map(line).collect()
    }
}

impl Screen {
    fn feed(&mut self, text: &str) {
        for c in text.chars() {
            match (&mut self.escape, c) {
                (Some(sequence), c) => {
                    sequence.push(c);
                    if c.is_ascii_alphabetic() {
                        let sequence = self.escape.take().unwrap_or_default();
                        self.obey(&sequence);
                    }
                }
                (None, '\x1b') => self.escape = Some(String::new()),
                (None, '\n') => self.line_end(),
                (None, '\r') => self.column = 0,
                (None, c) => self.put(c),
            }
        }
    }

    fn obey(&mut self, sequence: &str) {
        let colour = sequence.strip_prefix('[').and_then(|s| s.strip_suffix('m'));
        let colour = colour.unwrap_or_else(|| panic!("no colour: {sequence:?}"));
        self.colour = colour.parse().expect("one number");
    }

    fn line_end(&mut self) {
        self.row += 1;
        self.column = 0;
        if self.row == self.rows.len() {
            self.rows.push(Vec::new());
        }
    }

    /// The last column is left only when something else is written.
    fn put(&mut self, c: char) {
        if self.column == self.width {
            self.line_end();
        }
        let row = &mut self.rows[self.row];
        if row.len() <= self.column {
            row.resize(self.column + 1, (' ', 0));
        }
        row[self.column] = (c, self.colour);
        self.column += 1;
    }
}

impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes).expect("whole characters");
        self.0.lock().unwrap().feed(text);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        u16::try_from(self.0.lock().unwrap().width).expect("a width")
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        let mut screen = self.0.lock().unwrap();
        screen.row -= n;
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        let mut screen = self.0.lock().unwrap();
        screen.row += n;
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.lock().unwrap().column += n;
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.lock().unwrap().column -= n;
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        let mut screen = self.0.lock().unwrap();
        screen.feed(text);
        screen.line_end();
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.lock().unwrap().feed(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        let mut screen = self.0.lock().unwrap();
        let row = screen.row;
        screen.rows[row].clear();
        screen.column = 0;
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
