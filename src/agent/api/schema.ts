/**
 * What the agent and those who ask it agree on before they talk: where, and in which version of the JSON.
 *
 * `schema` grows when a field changes its meaning or goes away; new fields may appear at any time. Times are ISO 8601 in
 * UTC, durations seconds, sizes bytes.
 */

/** Version of the JSON. */
export const SCHEMA = 1;

/** Where an agent listens when nobody says otherwise. */
export const DEFAULT_SOCKET = "/run/poplin/agent.sock";
