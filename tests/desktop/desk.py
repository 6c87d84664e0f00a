"""A desktop for one test: a tray that takes icons and can choose from their menus, and a notification area that records
what is shown and can click on it. Speaks JSON lines: commands on standard input, answers on standard output.
Shapes: StatusNotifierItem and com.canonical.dbusmenu as KDE and Ayatana describe them, and the Desktop Notifications
Specification 1.2."""

import json
import sys
import threading

import dbus
import dbus.service
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib

WATCHER = "org.kde.StatusNotifierWatcher"
NOTIFICATIONS = "org.freedesktop.Notifications"
MENU = "com.canonical.dbusmenu"
ITEM = "org.kde.StatusNotifierItem"
SINGLE = "app.bwana.desktop.SingleInstance"
SINGLE_INTERFACE = "org.SingleInstance.DBus"


class Watcher(dbus.service.Object):
    def __init__(self, bus):
        name = dbus.service.BusName(WATCHER, bus)
        super().__init__(name, "/StatusNotifierWatcher")
        self.items = []

    @dbus.service.method(WATCHER, in_signature="s", sender_keyword="sender")
    def RegisterStatusNotifierItem(self, service, sender=None):
        # An item names a bus name, or an object of the one who calls.
        item = (sender, service) if service.startswith("/") else (service, "/StatusNotifierItem")
        self.items.append(item)
        self.StatusNotifierItemRegistered(item[0] + item[1])

    @dbus.service.method(WATCHER, in_signature="s")
    def RegisterStatusNotifierHost(self, _service):
        self.StatusNotifierHostRegistered()

    @dbus.service.signal(WATCHER, signature="s")
    def StatusNotifierItemRegistered(self, service):
        pass

    @dbus.service.signal(WATCHER, signature="")
    def StatusNotifierHostRegistered(self):
        pass

    @dbus.service.method(dbus.PROPERTIES_IFACE, in_signature="ss", out_signature="v")
    def Get(self, interface, name):
        return self.GetAll(interface)[name]

    @dbus.service.method(dbus.PROPERTIES_IFACE, in_signature="s", out_signature="a{sv}")
    def GetAll(self, _interface):
        return {
            "RegisteredStatusNotifierItems": dbus.Array([a + b for a, b in self.items], signature="s"),
            "IsStatusNotifierHostRegistered": True,
            "ProtocolVersion": dbus.Int32(0),
        }


class Notifications(dbus.service.Object):
    def __init__(self, bus):
        name = dbus.service.BusName(NOTIFICATIONS, bus)
        super().__init__(name, "/org/freedesktop/Notifications")
        self.shown = {}
        self.last = 0

    @dbus.service.method(NOTIFICATIONS, out_signature="as")
    def GetCapabilities(self):
        return ["actions", "body"]

    @dbus.service.method(NOTIFICATIONS, in_signature="susssasa{sv}i", out_signature="u")
    def Notify(self, app, replaces, _icon, summary, body, actions, _hints, _timeout):
        number = replaces
        if not number:
            self.last += 1
            number = self.last
        self.shown[int(number)] = {
            "app": str(app),
            "summary": str(summary),
            "body": str(body),
            "actions": [str(one) for one in actions],
        }
        return dbus.UInt32(number)

    @dbus.service.method(NOTIFICATIONS, in_signature="u")
    def CloseNotification(self, number):
        self.shown.pop(int(number), None)
        self.NotificationClosed(number, 3)

    @dbus.service.method(NOTIFICATIONS, out_signature="ssss")
    def GetServerInformation(self):
        return ("test desktop", "test", "1", "1.2")

    @dbus.service.signal(NOTIFICATIONS, signature="us")
    def ActionInvoked(self, number, action):
        pass

    @dbus.service.signal(NOTIFICATIONS, signature="uu")
    def NotificationClosed(self, number, reason):
        pass


class Desk:
    def __init__(self, bus):
        self.bus = bus
        self.watcher = Watcher(bus)
        self.notifications = Notifications(bus)

    def item(self):
        service, path = self.watcher.items[-1]
        return self.bus.get_object(service, path)

    def menu(self):
        item = dbus.Interface(self.item(), dbus.PROPERTIES_IFACE)
        path = item.Get(ITEM, "Menu")
        return dbus.Interface(self.bus.get_object(self.watcher.items[-1][0], path), MENU)

    def entries(self):
        menu = self.menu()
        menu.AboutToShow(0)
        _revision, (_root, _props, children) = menu.GetLayout(0, -1, ["label", "enabled", "type"])
        found = []
        for number, props, _children in children:
            found.append(
                {
                    "id": int(number),
                    # An underscore is written twice; alone it marks the key of an entry.
                    "label": str(props.get("label", "")).replace("__", "\0").replace("_", "").replace("\0", "_"),
                    "enabled": bool(props.get("enabled", True)),
                    "separator": props.get("type") == "separator",
                }
            )
        return found

    def command(self, line):
        name = line["do"]
        if name == "items":
            return len(self.watcher.items)
        if name == "menu":
            return self.entries()
        if name == "choose":
            self.menu().Event(dbus.Int32(line["id"]), "clicked", dbus.String("", variant_level=1), dbus.UInt32(0))
            return True
        if name == "notices":
            return [{"id": number, **one} for number, one in self.notifications.shown.items()]
        if name == "click":
            self.notifications.ActionInvoked(dbus.UInt32(line["id"]), "default")
            return True
        if name == "forward":
            # What a second start of the program says to the first one.
            words = dbus.Array(line["words"], signature="s")
            first = self.bus.get_object(SINGLE, "/" + SINGLE.replace(".", "/"))
            dbus.Interface(first, SINGLE_INTERFACE).ExecuteCallback(words, "/")
            return True
        if name == "spoken":
            return spoken(self.bus)
        raise ValueError(f"no such command: {name}")


ACCESSIBLE = "org.a11y.atspi.Accessible"
# Bits of the states: it can be seen, and it has the keyboard.
SHOWING = 1 << 25
FOCUSED = 1 << 12


# From the enumeration of AT-SPI: what a person can do something with.
ROLES = {
    7: "check box",
    11: "combo box",
    35: "menu item",
    37: "page tab",
    40: "password text",
    43: "push button",
    44: "radio button",
    51: "slider",
    52: "spin button",
    61: "text",
    62: "toggle button",
    79: "entry",
    88: "link",
}


def spoken(session):
    """What a screen reader finds on the screen: the role and the name of everything that can be seen. Spoken directly to
    the accessibility bus, for the usual library keeps the children it saw first."""
    door = dbus.Interface(session.get_object("org.a11y.Bus", "/org/a11y/bus"), "org.a11y.Bus")
    bus = dbus.bus.BusConnection(door.GetAddress())
    found = []

    def look(name, path, depth):
        try:
            one = bus.get_object(name, path, introspect=False)
            properties = dbus.Interface(one, dbus.PROPERTIES_IFACE)
            # Pages say the number of a role only.
            number = int(one.GetRole(dbus_interface=ACCESSIBLE))
            role = ROLES.get(number) or str(one.GetRoleName(dbus_interface=ACCESSIBLE))
            states = int(one.GetState(dbus_interface=ACCESSIBLE)[0])
            found.append({
                "role": role,
                "name": str(properties.Get(ACCESSIBLE, "Name")).strip(),
                "showing": bool(states & SHOWING),
                "focused": bool(states & FOCUSED),
            })
            count = int(properties.Get(ACCESSIBLE, "ChildCount"))
            children = [one.GetChildAtIndex(dbus.Int32(at), dbus_interface=ACCESSIBLE) for at in range(count)]
        except dbus.DBusException:
            return  # It went while it was looked at.
        for name, path in children:
            if not path.endswith("/null") and depth < DEPTH_MAX:
                look(name, path, depth + 1)

    look("org.a11y.atspi.Registry", "/org/a11y/atspi/accessible/root", 0)
    bus.close()
    return found


# No window of ours nests deeper.
DEPTH_MAX = 60


def main():
    DBusGMainLoop(set_as_default=True)
    desk = Desk(dbus.SessionBus())
    loop = GLib.MainLoop()

    def answer(line):
        try:
            said = {"ok": desk.command(json.loads(line))}
        except Exception as error:  # The test decides whether that was to be expected.
            said = {"error": str(error)}
        print(json.dumps(said), flush=True)
        return False

    def listen():
        for line in sys.stdin:
            GLib.idle_add(answer, line)
        GLib.idle_add(loop.quit)

    threading.Thread(target=listen, daemon=True).start()
    print(json.dumps({"ok": "ready"}), flush=True)
    loop.run()


main()
