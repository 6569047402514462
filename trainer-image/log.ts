import winston from 'winston';

export const logLevels = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];
export type LogFields = Record<string, unknown>;

/** A constant message and what varies as fields. */
export type Log = Record<LogLevel, (message: string, fields?: LogFields) => void>;

/** Any function that takes log lines, as a `Log`. */
export function logTo(write: (level: LogLevel, message: string, fields: LogFields) => void): Log {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) =>
      write(level, message, fields);
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}

/** Logs JSON lines to standard output; `bound` is added to every line. */
export function createLog(level: LogLevel, bound: LogFields): Log {
  const logger = winston.createLogger({
    level,
    defaultMeta: bound,
    format: winston.format.combine(winston.format.timestamp(), winston.format.json()),
    transports: [new winston.transports.Console()],
  });
  return logTo((lineLevel, message, fields) => logger.log(lineLevel, message, fields));
}
