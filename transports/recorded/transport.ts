/** A transport class of the SDK whose instances are watched; for everybody who uses it, it is the class itself. */
import { isAmqp, watchAmqp } from './amqp.js'
import { isMqtt, watchMqtt } from './mqtt.js'
import { guard, type Recorder } from './recorder.js'

/** `Mqtt`, `MqttWs`, `Amqp`, `AmqpWs`, and what an application makes of them. */
export type TransportClass = abstract new (...given: never[]) => object

/**
 * The class makes its instances as ever, its own SDK's parts and all; what is made is then watched. So `instanceof`, statics,
 * names and subclasses stay what they are.
 *
 * @param onUnknown told once for each instance that cannot be watched
 */
export function watchedTransport<Class extends TransportClass>(
  Transport: Class,
  recorder: Recorder,
  onUnknown: () => void,
): Class {
  const watch = guard(recorder)((instance: object, authentication: unknown) => {
    if (isMqtt(instance)) watchMqtt(instance, authentication, recorder)
    else if (isAmqp(instance)) watchAmqp(instance, authentication, recorder)
    else onUnknown()
  })
  return new Proxy(Transport, {
    construct(target, given, made) {
      const instance = Reflect.construct(target, given, made)
      watch(instance, given[0])
      return instance
    },
  })
}
