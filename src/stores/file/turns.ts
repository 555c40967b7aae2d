/**
 * Work on a share, one piece at a time. A share that hangs keeps a thread of libuv's, and there are four: whoever comes
 * behind waits without one, and gives up in time.
 */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /**
   * @param patience milliseconds; work that has begun by then goes on, unheard
   * @throws Error when they are over; whatever `work` throws
   */
  take<T>(work: () => Promise<T>, patience: number): Promise<T> {
    let late = false;
    const turn = this.#last.then(() => {
      if (late) throw new Error("nobody waits any more");
      return work();
    });
    this.#last = turn.catch(() => {});
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        late = true;
        reject(new Error(`it has not answered for ${patience / 1000} s`));
      }, patience);
      turn.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }
}
