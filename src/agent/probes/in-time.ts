/** Milliseconds for which somebody waits for the dataplane: it answers between two batches, in microseconds. */
const ANSWER_TIMEOUT = 2000;

/** @throws Error when `answer` is not there within two seconds */
export async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), ANSWER_TIMEOUT);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
