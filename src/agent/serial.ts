/** One thing after the other: two comparisons at a time would undo each other's rows. */
export class Serial {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs a task once all before it have ended, however they did. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task, task);
    this.#last = result.catch(() => {});
    return result;
  }

  /** Resolves when all that was asked for until now has ended. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
