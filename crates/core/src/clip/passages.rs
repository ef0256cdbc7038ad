//! A text longer than a tower's context, cut into passages that fit.

/// The sentences of a text: they end behind a full stop, an exclamation or question mark that white space follows, behind the
/// ideographic ones, and at line breaks. None is empty.
pub fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut before = ' ';
    text.split_inclusive(move |c: char| {
        let stop = matches!(before, '.' | '!' | '?') && c.is_whitespace();
        before = c;
        stop || matches!(c, '\n' | '。' | '！' | '？')
    })
    .map(str::trim)
    .filter(|sentence| !sentence.is_empty())
}

/// Packs sentences, each a list of tokens, into at most `most` passages of at most `room` tokens. A sentence starts a new
/// passage where it does not fit behind the last one, and one that is longer than a passage is cut into several. What comes
/// behind the last passage is left out; no more sentences are asked for then.
pub fn pack(sentences: impl Iterator<Item = Vec<u32>>, room: usize, most: usize) -> Vec<Vec<u32>> {
    let (room, mut passages) = (room.max(1), Vec::<Vec<u32>>::new());
    for sentence in sentences {
        if let Some(last) = passages.last_mut()
            && last.len() + sentence.len() <= room
        {
            last.extend(sentence);
            continue;
        }
        passages.extend(sentence.chunks(room).map(<[u32]>::to_vec));
        if passages.len() > most {
            break;
        }
    }
    passages.truncate(most);
    passages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_they_should() {
        let split = |text| sentences(text).collect::<Vec<_>>();
        assert_eq!(
            split("One. Two 3.5 e.g. this!\r\nThree? 四。五\n\n"),
            ["One.", "Two 3.5 e.g.", "this!", "Three?", "四。", "五"]
        );
        assert_eq!(split("no end"), ["no end"]);
        assert!(split(" \n ").is_empty());
    }

    #[test]
    fn passages_are_filled_and_cut() {
        let packed = |lengths: &[usize], room, most| -> Vec<usize> {
            let sentences = lengths.iter().map(|n| vec![7; *n]);
            pack(sentences, room, most).iter().map(Vec::len).collect()
        };
        assert_eq!(packed(&[3, 4, 5, 2], 7, 9), [7, 7]);
        assert_eq!(packed(&[16, 1, 5], 7, 9), [7, 7, 3, 5]);
        assert_eq!(packed(&[16, 1, 5], 7, 2), [7, 7]);
        assert_eq!(packed(&[], 7, 2), [0usize; 0]);
        // Nothing is asked for in vain.
        let endless = std::iter::repeat(vec![1, 2]);
        assert_eq!(pack(endless, 4, 3).len(), 3);
    }
}
