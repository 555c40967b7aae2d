/** Finds what the study types in its text, which is not ours and so is not here. */

const PROMPT = /^(?:\S+@[\w-]+:\S*[$#]|pod-1 \P{ASCII} ~ \P{ASCII})[ ]+(.+)$/u;
/** Lines without a prompt that begin with a program's name, some of them behind the comment sign. */
const BARE =
  /^((?:apt|cat|cd|chmod|conntrack|docker|exit|git|iptables|kubectl|ping|tcpdump|watch|wireshark)(?: .+)?)$/;
const HASH = /^# ((?:docker|kind) .+)$/;

export interface Typed {
  /** Its number in the text, from 1. */
  readonly line: number;
  readonly command: string;
}

/** @param text of the study */
export function typedIn(text: string): Typed[] {
  return text.split("\n").flatMap((line, i) => {
    const [, command] = PROMPT.exec(line) ?? BARE.exec(line) ?? HASH.exec(line) ?? [];
    return command === undefined ? [] : [{ line: i + 1, command: command.trim() }];
  });
}
