/** What one evaluation is: a run over labelled data that prints as it goes and returns its figures. */

export interface EvaluationOptions {
  /** A folder of the layout of the labelled data: `log-templates/`, `metric-anomalies/`, `trainticket-faults/` and the like. */
  data: string;
  /** Where to write what an independent scorer reads; nothing is written without it. */
  predictions: string | null;
  /** How long to watch the healthy demo as well; 0: not at all. */
  demoMinutes: number;
  /** Whether root causes are looked for once more, in less than is there. */
  stress: boolean;
  /** Prints one line. */
  print(line: string): void;
}

/** @throws NoData when the folder lacks what the evaluation reads */
export type Evaluation = (options: EvaluationOptions) => Promise<Record<string, unknown>>;

/** The labelled data is not where it was said to be. */
export class NoData extends Error {
  override name = 'NoData';
}
