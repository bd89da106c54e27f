// In place of the service: the songs of this tab. It has what the scripts of the studio ask for, so that all other
// scripts are the same; the page hides what is missing here.

import { RATE } from "./decode.js";
import { Jobs } from "./jobs.js";
import { makeFile as make } from "./making.js";
import { chosenModel } from "./models_of_the_tab.js";

export const jobs = new Jobs();

export const submit = async (file) => jobs.add(file, chosenModel());
export const cancel = (id) => jobs.cancel(id);
export const remove = (id) => jobs.remove(id);
export const rename = (id, name) => jobs.rename(id, name);

/** Follow all jobs. There is no connection to be lost. */
export function follow({ onJob, onDeleted }) {
  Object.assign(jobs, { onJob, onDeleted });
}

const stem = (id, name) => jobs.get(id).results.files.find((file) => file.name === name);

/** The names of the lanes of a job, with their sample rate. */
export const lanes = async (id) => ({ sample_rate: RATE, lanes: jobs.get(id).results.files.map(({ name }) => name) });

/** The bytes of a lane, which may be `original`, the song itself. */
export const file = (id, name) => (name === "original" ? jobs.get(id).file : stem(id, name).blob).arrayBuffer();

/** The outline of a lane. */
export const peaks = async (id, name) => (name === "original" ? jobs.get(id).results : stem(id, name)).outline;

/** Where a lane, or all results of a job, are saved from: properties of a link. */
export const fileLink = (id, name) => ({ href: stem(id, name).address, download: `${jobs.title(id)} - ${name}.wav` });
export const zipLink = (id) => ({ href: jobs.get(id).results.zip, download: `${jobs.title(id)}.zip` });

/** The formats in which files can be made. */
export const FORMATS = ["wav"];

/** Whether lanes can be had in another tempo and pitch. */
export const hasVersions = false;

/** Make a file of the lanes: the properties of its link, the gain that kept it in full scale, and its sample rate. */
export const makeFile = (id, wanted) => make(jobs.get(id).results.files, jobs.title(id), wanted);
