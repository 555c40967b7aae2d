/** placeholder until next step */
export async function withOther(_options, _progress, work) {
  await work(null);
}
