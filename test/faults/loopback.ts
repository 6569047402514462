/** Addresses of 127.0.0.0/8 for the trainers of one run, apart from those of runs beside it. */
import { createServer, type Server } from 'node:http';
import { httpPort } from '../../crds/trainer-contract.ts';

const nets = { first: 64, last: 127 };

export class Loopback {
  readonly #net: number;
  readonly #hold: Server;

  private constructor(net: number, hold: Server) {
    this.#net = net;
    this.#hold = hold;
  }

  /** Takes the first net whose last address nobody listens at, and keeps it by listening there, however the run ends. */
  static async claim(): Promise<Loopback> {
    for (let net = nets.first; net <= nets.last; net++) {
      const hold = createServer();
      if (await listens(hold, `127.${net}.255.254`)) return new Loopback(net, hold);
    }
    throw new Error(
      `all nets from 127.${nets.first} to 127.${nets.last} are taken: end some of the other runs`,
    );
  }

  /** @param number from 1 to 65,533 */
  address(number: number): string {
    return `127.${this.#net}.${number >> 8}.${number & 255}`;
  }

  release(): void {
    this.#hold.close();
  }
}

function listens(server: Server, address: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('listening', () => resolve(true));
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(httpPort, address);
  });
}
