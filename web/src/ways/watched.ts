/** Something that the page shows, and that tells when it has changed. */

export class Watched {
  private readonly listeners = new Set<() => void>();
  private version = 0;
  private announced = false;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly snapshot = (): number => this.version;

  /** Have the page drawn anew, once for all that happens before the next frame of the screen. */
  protected changed(): void {
    if (this.announced) return;
    this.announced = true;
    // Pages in the background get no frames, and are told late.
    const tell = () => {
      if (!this.announced) return;
      this.announced = false;
      this.version += 1;
      for (const listener of this.listeners) listener();
    };
    requestAnimationFrame(tell);
    if (document.hidden) setTimeout(tell, 100);
  }
}
