/** What the contract tests of the operator begin and end with: an API server for all tests of a suite, an operator for each. */
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import type { OperatorOptions } from '../../operator/controller/operator.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { type Api, deleteAll, type Running, startApi, startOperator } from './api.ts';
import type { RecordingProxy } from './recording-proxy.ts';

/** To be made in the body of a `describe`. After each test the operator is stopped and everything is deleted. */
export class TestApi {
  #api: Api | undefined;
  #running: Running | undefined;

  /**
   * @param name of the API server, unlike that of any suite that runs at the same time
   * @param controllers of kube-controller-manager that run beside it
   */
  constructor(name: string, controllers: readonly string[] = []) {
    before(async () => {
      this.#api = await startApi(name);
      if (controllers.length > 0) await this.plane.startControllers(controllers);
    });
    after(() => this.#api?.stop());
    afterEach(async () => {
      const inOrder = await this.stop();
      await deleteAll(this.plane);
      assert.notEqual(inOrder, false, 'the operator kept its lease to the end');
    });
  }

  get plane(): ControlPlane {
    return this.#started.plane;
  }

  /** Between the operator and the API server. */
  get proxy(): RecordingProxy {
    return this.#started.proxy;
  }

  /** Starts the operator of this test and waits until it works. */
  async start(flags: string[] = [], changes: Partial<OperatorOptions> = {}): Promise<Running> {
    assert.equal(this.#running, undefined, 'one operator at a time');
    this.#running = await startOperator(this.#started, flags, changes);
    return this.#running;
  }

  /** @returns whether it ended in order; undefined = none was running */
  async stop(): Promise<boolean | undefined> {
    const running = this.#running;
    this.#running = undefined;
    running?.operator.stop();
    return running?.ended;
  }

  /** The metrics of the operator that runs. */
  scrape(): Promise<string> {
    assert.ok(this.#running, 'an operator runs');
    return this.#running.scrape();
  }

  /** What the API server did not allow, of the requests from number `since` on. */
  refused(since = 0) {
    return this.proxy.requests.slice(since).filter(({ status }) => status === 401 || status === 403);
  }

  /** The user changes the spec of a FineTuneJob. */
  async patch(name: string, spec: object): Promise<void> {
    await this.plane.kubectl(['patch', 'ftj', name, '--type=merge', '-p', JSON.stringify({ spec })]);
  }

  get #started(): Api {
    assert.ok(this.#api, 'the API server runs');
    return this.#api;
  }
}
