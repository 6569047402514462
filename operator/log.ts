/** JSON logs: a constant message, everything that varies as keys. */
import winston from 'winston';

export type Log = Pick<winston.Logger, 'debug' | 'info' | 'warn' | 'error' | 'child'>;
export const logLevels = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];

export function createLog(level: LogLevel, silent = false): winston.Logger {
  return winston.createLogger({
    level,
    silent,
    format: winston.format.combine(winston.format.timestamp(), winston.format.json()),
    transports: [new winston.transports.Console()],
  });
}
